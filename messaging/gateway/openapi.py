"""Describe the gateway as OpenAPI 3.1, and as a page for people; both are made of the table of routes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from html import escape
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from messaging.gateway.limits import (
    BATCH_BYTES_MAX,
    BATCH_EVENTS_MAX,
    ENTERING_MAX,
    EVENT_BYTES_MAX,
    ID_CHARS_MAX,
    PAGE_ROWS,
    PAGE_ROWS_MAX,
    REPORT_BYTES_MAX,
    REPORTS_MAX,
)
from messaging.gateway.pages import POLICY
from messaging.gateway.route import ADMIN, SESSION, VIEWER, WRITE_KEY, Route
from messaging.gateway.shapes import COMPONENTS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ID = {"type": ["string", "integer", "null"], "maxLength": ID_CHARS_MAX}
_TIME = {"type": "string", "format": "date-time"}

SCHEMAS: dict[str, Any] = {
    "Call": {
        "type": "object",
        "description": f"A call of the Segment HTTP Tracking API, at most {EVENT_BYTES_MAX} bytes. "
        "Needs a userId, an anonymousId or traits.email. Fields of context (but consent) that have the wrong type "
        "are left out; [] stands for an empty object.",
        "properties": {
            "type": {"enum": ["track", "identify", "page", "screen", "group", "alias"]},
            "messageId": {"type": "string", "maxLength": ID_CHARS_MAX},
            "userId": _ID,
            "anonymousId": _ID,
            "event": {"type": "string"},
            "properties": {"type": "object"},
            "traits": {"type": "object"},
            "context": {"type": "object"},
            "timestamp": _TIME,
            "sentAt": _TIME,
            "writeKey": {"type": "string"},
        },
    },
    "Batch": {
        "type": "object",
        "description": f"At most {BATCH_EVENTS_MAX} calls and {BATCH_BYTES_MAX} bytes, unpacked.",
        "required": ["batch"],
        "properties": {
            "batch": {"type": "array", "items": {"$ref": "#/components/schemas/Call"}},
            "context": {"type": "object", "description": "Goes under the context of each call."},
            "sentAt": _TIME,
            "writeKey": {"type": "string"},
        },
    },
    "Response": {
        "type": "object",
        "description": "A tab may show an engagement once `shown` is answered 200; 409 says that it is over, or "
        "that another tab shows it. Each response counts once, however often it is sent.",
        "required": ["visitor"],
        "properties": {
            "visitor": {"type": "string", "description": "The browser's anonymousId."},
            "writeKey": {"type": "string"},
            "messageId": {"type": "string", "maxLength": ID_CHARS_MAX},
            "tab": {"type": "string", "description": "Names the tab; `shown` needs it."},
            "answers": {"type": "object", "description": "With submitted: field -> answer."},
        },
    },
    "Settle": {
        "type": "object",
        "properties": {"by": {"type": "string"}, "stage": {"type": "string"}},
    },
    "ResumeLearning": {
        "type": "object",
        "description": "409 where the policy was not taken back.",
        "required": ["policy"],
        "properties": {
            "policy": {
                "type": "string",
                "description": "As `guarded` of GET /api/v1/learning names it.",
            },
            "by": {"type": "string"},
        },
    },
    "Evaluate": {
        "type": "object",
        "description": "Values are mean answers a decision, by inverse propensities, self-normalised, doubly robust "
        "and switching; null where the log says too little, with the reason.",
        "required": ["policy"],
        "properties": {
            "policy": {"type": "string"},
            "against": {
                "description": "What it is held against: what the published rules would have chosen, an even choice, "
                "or fixed weights (arm -> weight).",
                "default": "rules",
                "anyOf": [
                    {"enum": ["rules", "uniform"]},
                    {
                        "type": "object",
                        "additionalProperties": {"type": "number", "minimum": 0},
                    },
                ],
            },
        },
    },
    "EditOrder": {
        "type": "object",
        "description": "One file of a version, changed; null leaves it out. 409 where another version is the newest.",
        "required": ["base", "file", "text"],
        "properties": {
            "base": {"type": "integer", "description": "The version that the edit was made of."},
            "file": {"type": "string", "description": "Such as templates/hello.yaml."},
            "text": {"type": ["string", "null"]},
            "newest": {
                "type": "integer",
                "description": "Where an older version is edited: the newest one, whose changes are left out of it. "
                "0: `base` is the newest.",
                "default": 0,
            },
        },
    },
    "PublishOrder": {
        "type": "object",
        "required": ["instead_of"],
        "properties": {
            "instead_of": {"type": "integer", "description": "The version published now, 0: none."},
            "runs": {
                "enum": ["stay", "migrate", "exit"],
                "description": "What becomes of the runs under way on other versions: they stay there, go over where "
                "this one has their stage, or leave. Who is with a person never leaves.",
            },
            "groups": {
                "type": "object",
                "description": "Group, as the impact names them (path/version/stage) -> what becomes of it, where "
                "that is something else. 422 where it is impossible: none goes over to a version without their stage.",
                "maxProperties": 300,
                "additionalProperties": {"enum": ["stay", "migrate", "exit"]},
            },
        },
    },
    "TestOrder": {
        "type": "object",
        "required": ["to"],
        "properties": {
            "to": {"type": "string", "format": "email"},
            "base": {
                "type": "integer",
                "description": "With `text`: the version it is written on.",
            },
            "text": {
                "type": "string",
                "description": "Its file as it is being written; none: as saved.",
            },
        },
    },
    "DraftOrder": {
        "type": "object",
        "description": "A template's file as somebody is writing it; nothing is written.",
        "required": ["base", "text"],
        "properties": {
            "base": {"type": "integer", "description": "The version whose layouts it goes by."},
            "text": {"type": "string"},
            "visitor": {"type": "string", "description": "Visitor id; empty: nobody's."},
        },
    },
    "LinksOrder": {
        "type": "object",
        "properties": {
            "visitor": {"type": "string", "description": "Visitor id; empty: nobody's."}
        },
    },
    "TryOrder": {
        "type": "object",
        "properties": {
            "version": {"type": "integer", "minimum": 0, "description": "0: the newest."},
            "days": {"type": "integer", "minimum": 1, "maximum": 365, "default": 30},
            "visitor": {
                "type": "string",
                "maxLength": ID_CHARS_MAX,
                "description": "One visitor, step by step, by any id; empty: everybody.",
            },
        },
    },
    "SimulateOrder": {
        "type": "object",
        "properties": {
            "version": {"type": "integer", "minimum": 0, "description": "0: the newest."},
            "visitors": {"type": "integer", "minimum": 2, "maximum": 20_000, "default": 2_000},
            "days": {"type": "integer", "minimum": 1, "maximum": 180, "default": 60},
            "seed": {"type": "integer", "minimum": 0, "default": 1},
            "profiles": {"enum": ["synthetic", "real"]},
        },
    },
    "Enter": {
        "type": "object",
        "required": ["people", "request"],
        "properties": {
            "people": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": ENTERING_MAX,
                "description": "Visitor ids, user ids, anonymous ids or addresses.",
            },
            "request": {
                "type": "string",
                "maxLength": ID_CHARS_MAX,
                "description": "Your name of this call: said again, it lets nobody in twice.",
            },
            "key": {
                "type": "string",
                "maxLength": ID_CHARS_MAX,
                "description": "What tells the runs of a keyed path apart: an order, a cart.",
            },
        },
    },
    "People": {
        "type": "object",
        "required": ["people", "request"],
        "properties": {
            "people": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": ENTERING_MAX,
                "description": "Addresses and user ids.",
            },
            "request": {
                "type": "string",
                "maxLength": ID_CHARS_MAX,
                "description": "Your name of this call: said again, it changes nothing.",
            },
            "basis": {
                "type": "string",
                "maxLength": 200,
                "description": "On what basis they agreed to be written to; without one nothing is said of that.",
            },
        },
    },
    "Reports": {
        "type": "object",
        "required": ["reports"],
        "additionalProperties": False,
        "properties": {
            "reports": {
                "type": "array",
                "minItems": 1,
                "maxItems": REPORTS_MAX,
                "items": {
                    "type": "object",
                    "required": ["send", "kind"],
                    "additionalProperties": False,
                    "properties": {
                        "send": {
                            "type": "string",
                            "description": "Id of the send (header X-MDMA-Send), or the e-mail's Message-ID.",
                        },
                        "kind": {"type": "string", "enum": ["bounced", "complained"]},
                    },
                },
            },
        },
    },
    "ReportMail": {
        "type": "string",
        "maxLength": REPORT_BYTES_MAX,
        "description": "The whole e-mail (RFC 5322), as the server delivered it.",
    },
    "Broadcast": {
        "type": "object",
        "required": ["template", "cohort", "request"],
        "properties": {
            "template": {"type": "string"},
            "cohort": {"type": "string"},
            "path": {
                "type": "string",
                "description": "Whose caps, quiet hours and sender hold; may be left out where there is one path.",
            },
            "at": {**_TIME, "description": "World time, not before which it begins; else now."},
            "request": {
                "type": "string",
                "maxLength": ID_CHARS_MAX,
                "description": "Your name of this order: said again, it is the same one.",
            },
            "priority": {"type": "integer", "minimum": -1000, "maximum": 1000},
            "dry_run": {"type": "boolean", "description": "Count who would get it; send nothing."},
        },
    },
    "ImportNote": {
        "type": "object",
        "required": ["files", "bases"],
        "properties": {
            "files": {"type": "array", "items": {"type": "string"}, "maxItems": 20},
            "bases": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": 20,
                "description": "On what bases people agreed to be written to.",
            },
            "calls": {"type": ["integer", "null"], "description": "null: it was cut off."},
            "refused": {"type": "integer"},
        },
    },
    "Pause": {"type": "object", "properties": {"path": {"type": "string"}}},
    "Replay": {
        "type": "string",
        "description": 'JSON lines: {"at": time, "call": Call}',
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "field": {"type": "string", "description": "Path of the field that cannot be read."},
        },
    },
}

_TEXT = {"type": "string", "maxLength": ID_CHARS_MAX}

PARAMETERS: dict[str, Any] = {
    "after": {**_TEXT, "description": "What the page before gave as `after`: this one follows it."},
    "limit": {"type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX, "default": PAGE_ROWS},
    "visitor": {
        **_TEXT,
        "description": "A visitor id, of a list any id; of engagements, the browser's anonymousId.",
    },
    "writeKey": {**_TEXT, "description": "The write key, where no Authorization header names it."},
}
"""Name of a parameter of the query -> its schema, where it is no plain text."""

_PLACES: dict[str, Any] = {
    "other": {"type": "string", "pattern": "^[0-9]{1,9}$"},
    "action": {"type": "string", "description": "What is to be done: see the summary."},
}

_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    WRITE_KEY: [{"writeKey": []}, {}],
    ADMIN: [{"adminToken": []}],
    VIEWER: [{"viewingKey": []}, {"adminToken": []}],
    SESSION: [{"session": []}],
}


def document(routes: list[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "MDMA gateway", "version": "1", "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": {**COMPONENTS, **SCHEMAS},
            "securitySchemes": {
                "writeKey": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Write key as user, or writeKey in the body.",
                },
                "adminToken": {"type": "http", "scheme": "bearer"},
                "viewingKey": {"type": "apiKey", "in": "query", "name": "key"},
                "session": {"type": "apiKey", "in": "cookie", "name": "mdma_console_…"},
            },
        },
    }


def openapi(routes: list[Route]) -> Handler:
    """Return the handler of `GET /openapi.json`."""
    body = msgspec.json.encode(document(routes))

    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    return handle


def docs(routes: list[Route]) -> Handler:
    """Return the handler of `GET /docs`: a page that needs nothing from elsewhere."""
    html = page(routes)

    async def handle(_: web.Request) -> web.Response:
        return web.Response(
            text=html, content_type="text/html", headers={"Content-Security-Policy": POLICY}
        )

    return handle


def page(routes: list[Route]) -> str:
    """Return the page that lists the routes."""
    groups = dict.fromkeys(route.group for route in routes)
    tables = "".join(
        f"<h2>{escape(group)}</h2><table><thead><tr><th scope=col>Route<th scope=col>Does"
        "<th scope=col>Access<th scope=col>Answers</tr></thead><tbody>"
        + "".join(_row(route) for route in routes if route.group == group)
        + "</tbody></table>"
        for group in groups
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>MDMA: HTTP routes</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><style>'
        ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;"
        "padding:0 1rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;"
        "vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8888}"
        "td,code{overflow-wrap:anywhere}@media(max-width:40rem){thead{display:none}tr,td{display:block}"
        "td{border:0;padding:0}tr{padding:.5rem 0;border-bottom:1px solid #8888}}</style></head>"
        "<body><main><h1>HTTP routes</h1><p>Errors are RFC 9457 problem documents. "
        "429 and 503 say in Retry-After when to try again. "
        'The same in OpenAPI: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"{tables}</main></body></html>"
    )


def _row(route: Route) -> str:
    statuses = ", ".join(str(status) for status in sorted({*route.answers, *route.problems}))
    query = f"?{'&'.join(f'{name}=' for name in route.query)}" if route.query else ""
    return (
        f"<tr><td><code>{route.method} {escape(route.path + query)}</code>"
        f"<td>{escape(route.summary)}<td>{escape(route.access)}<td>{statuses}</tr>"
    )


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "tags": [route.group],
        "responses": _responses(route),
    }
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _PLACES.get(name, _TEXT)}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "schema": _asked(route, name)} for name in route.query
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body:
        media = _MEDIA.get(route.body, "application/json")
        schema = {"$ref": f"#/components/schemas/{route.body}"}
        operation["requestBody"] = {"content": {media: {"schema": schema}}}
    if route.access in _SECURITY:
        operation["security"] = _SECURITY[route.access]
    return operation


_MEDIA = {"Replay": "application/x-ndjson", "ReportMail": "message/rfc822"}
"""Name of a body -> its media type, where that is not JSON."""


def _asked(route: Route, name: str) -> dict[str, Any]:
    """Return the schema of a parameter of the query."""
    if name in route.values:
        return {"type": "string", "enum": list(route.values[name])}
    schema: dict[str, Any] = PARAMETERS.get(name, _TEXT)
    return schema


def _shown(route: Route, media: str) -> dict[str, Any]:
    return {"schema": route.shows} if route.shows and media == "application/json" else {}


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {media: _shown(route, media)},
        }
        for status, media in route.answers.items()
    }
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for status in route.problems:
        told = {"description": HTTPStatus(status).phrase, "content": {}}
        responses.setdefault(str(status), told)["content"]["application/problem+json"] = problem
    return responses
