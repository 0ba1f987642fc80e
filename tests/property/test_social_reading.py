"""Whatever JSON a stranger sends: it is read or it is no answer, and never anything else."""

from __future__ import annotations

import contextlib
import zlib
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from messaging.social import activitypub, gravatar
from messaging.social.fetch import DEPTH_MAX, read_json
from messaging.social.outcomes import Unanswered

NOW = datetime(2026, 11, 26, tzinfo=UTC)
NAMES = st.sampled_from(
    [
        "hash",
        "job_title",
        "company",
        "last_profile_edit",
        "links",
        "rel",
        "type",
        "href",
        "outbox",
        "totalItems",
        "first",
        "orderedItems",
        "items",
        "published",
        "id",
        "subject",
        "x",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["self", "application/activity+json", "Person", "0001-01-01T00:00:00+23:59"])
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@given(VALUES)
def test_any_document_is_read_or_is_no_answer(document: Any):
    with contextlib.suppress(Unanswered):
        told = gravatar.read(document, NOW)
        assert told.kind in ("personal", "professional")
    with contextlib.suppress(Unanswered):
        assert isinstance(activitypub.actor_of(document), str)
    with contextlib.suppress(Unanswered):
        assert activitypub.kind_of(document) in activitypub.KINDS.values()
    assert isinstance(activitypub.link_of(document, "outbox"), str)
    at = activitypub.last_post(document, NOW)
    assert at is None or at <= NOW


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_no_answer(body: bytes):
    for each in (body, zlib.compress(body), b"[" * len(body) + b"]" * len(body)):
        with contextlib.suppress(Unanswered):
            read_json(each)


def test_as_deep_as_is_honest_is_read():
    assert read_json(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX) is not None
    for depth in (DEPTH_MAX + 1, 1_000, 100_000):
        with contextlib.suppress(Unanswered):
            read_json(b"[" * depth + b"]" * depth)
            raise AssertionError(depth)
