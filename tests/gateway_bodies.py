"""Make bad input for the gateway: bodies that are nearly calls, and everything that is none."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from messaging.vocabulary.events import PUBLIC_TYPES
from tests.gateway_builders import KEY

AUTH = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()


class Sent(NamedTuple):
    """Hold what one request carries, whatever its route."""

    encoding: str
    body: bytes
    content_type: str
    auth: str


def _weighted(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Draw from strategies by weight; `one_of` takes each only once."""
    drawn = [at for at, (weight, _) in enumerate(choices) for _ in range(weight)]
    return st.sampled_from(drawn).flatmap(lambda at: choices[at][1])


_strange_text = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\0", "a\0b", "\ud800", "\udc00x", "x" * 600, "\U0001f600", "\u202e", "2017"]),
)
_numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([2**63, 2**63 - 1, -(2**63) - 1, 10**400, 1e308, float("nan"), float("inf")]),
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _strange_text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_strange_text, inner, max_size=4)
    ),
    max_leaves=12,
)
_FIELDS = """type event userId anonymousId messageId timestamp sentAt writeKey context traits properties
    previousId groupId name category integrations"""
_fields = st.sampled_from(_FIELDS.split())
_good_values = {
    "type": st.sampled_from([*sorted(PUBLIC_TYPES), "mail_opened", "alert_settled", ""]),
    "event": st.sampled_from(["Order Completed", ""]),
    "timestamp": st.sampled_from(
        ["2017-06-01T00:00:00Z", "2030-01-01", "0001-01-01", "9999-12-31T23:59:59-14:00"]
    ),
    "context": st.fixed_dictionaries({"page": _values, "traits": _values, "consent": _values}),
}


@st.composite
def _calls(draw: Any) -> Any:
    """Draw a call that is nearly right: each field good, strange, or away; the route may give the type."""
    call = {"userId": "u", "event": "e", "groupId": "g", "previousId": "p"}
    if draw(st.booleans()):
        call = {"type": draw(st.sampled_from(sorted(PUBLIC_TYPES))), **call}
    for name in draw(st.lists(_fields, max_size=3)):
        good = _good_values.get(name, _strange_text)
        call[name] = draw(st.one_of(good, good, _values))
    for name in draw(st.lists(_fields, max_size=1)):
        call.pop(name, None)
    return call


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _escaped(value: Any) -> bytes:
    return json.dumps(value).encode()


_sound = st.builds(
    lambda value: {"userId": "u", "event": "e", "groupId": "g", "previousId": "p", "more": value},
    _strange_text.map(lambda text: text.encode("utf-8", "replace").decode().replace("\0", "")),
)
"""What every route of a single call takes."""

_documents = _weighted(
    (3, _sound),
    (3, _calls()),
    (2, st.lists(_calls(), max_size=4).map(lambda batch: {"batch": batch})),
    (
        2,
        st.builds(
            lambda batch, rest: {**rest, "batch": batch},
            st.lists(st.one_of(_calls(), _values), max_size=4),
            st.dictionaries(_fields, _values, max_size=3),
        ),
    ),
    (1, _values),
)
_encoded = st.builds(
    lambda write, document: write(document), st.sampled_from([_text, _escaped]), _documents
)


def _deep(levels: int) -> bytes:
    return (
        b'{"userId":"u","event":"e","properties":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    )


def _wide(keys: int) -> bytes:
    return json.dumps(
        {"userId": "u", "event": "e", "properties": dict.fromkeys(map(str, range(keys)), 1)}
    ).encode()


_raw = _weighted(
    (8, _encoded),
    (
        5,
        st.one_of(
            st.binary(max_size=60),
            st.integers(1, 3000).map(_deep),
            st.sampled_from([31, 33, 900, 1100]).map(_wide),
            st.builds(
                lambda body, at: body[: at % (len(body) + 1)], _encoded, st.integers(0, 10_000)
            ),
            st.builds(
                lambda body, at, bad: (
                    body[: at % (len(body) + 1)] + bad + body[at % (len(body) + 1) :]
                ),
                _encoded,
                st.integers(0, 10_000),
                st.sampled_from(
                    [
                        b"\0",
                        b"\xff",
                        b"\\u0000",
                        b"\\ud800",
                        b"NaN",
                        b"9" * 5000,
                        b"1e999",
                        b"[" * 99,
                        b'"',
                    ]
                ),
            ),
            st.sampled_from(
                [b"", b"null", b"{}", b"[]", b'{"batch":{}}', b'{"batch":[]}', b"\xef\xbb\xbf{}"]
            ),
        ),
    ),
)
_bombs = [
    gzip.compress(b" " * 30_000_000),
    gzip.compress(b"[" * 5_000_000),
    gzip.compress(b"") * 3000,
]
_packed = _weighted(
    (4, _raw.map(gzip.compress)),
    (1, st.builds(lambda body, at: gzip.compress(body)[: at % 40], _raw, st.integers(0, 40))),
    (1, _raw),
    (1, st.sampled_from(_bombs)),
)
_contents = _weighted(
    (12, st.tuples(st.just(""), _raw)),
    (4, st.tuples(st.just("gzip"), _packed)),
    (1, st.tuples(st.sampled_from(["br", "deflate", "gzip, gzip", "\xe9"]), st.binary(max_size=9))),
)
_content_types = st.sampled_from(
    [*["application/json", "text/plain", ""] * 6, "application/xml", "a/b; charset=\xe9"]
)
_auths = st.sampled_from([*[AUTH] * 24, "", "Basic", "Basic =", "Basic \xff", "Bearer x"])
_requests = st.builds(
    lambda content, content_type, auth: Sent(*content, content_type, auth),
    _contents,
    _content_types,
    _auths,
)


def draw_requests(count: int) -> list[Sent]:
    """Return many requests, equal at each run: one socket for all of them is what a client does."""
    drawn: list[Sent] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_requests)
    def collect(request: Sent) -> None:
        drawn.append(request)

    collect()
    return drawn
