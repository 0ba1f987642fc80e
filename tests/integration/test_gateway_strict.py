"""A list of the admin API that cannot be answered says so: names and values that nothing can have."""

from __future__ import annotations

from typing import Any

import pytest

from agents.runtime.tested import ENDED
from learning.serving.split_test import VERDICTS
from messaging.gateway.openapi import document
from messaging.gateway.route import ADMIN as ADMIN_ACCESS
from messaging.gateway.route import Route
from messaging.gateway.routes import all_routes
from messaging.gateway.values import OF_EXPERIMENTS
from tests.gateway_builders import ADMIN, a_site

LISTS = [r for r in all_routes() if r.access == ADMIN_ACCESS and r.method == "GET"]
CLOSED = [(r, name) for r in LISTS for name in r.values]
NOBODY = {"id": "ann", "action": "close", "stage": "a", "other": "1"}


def address_of(route: Route) -> str:
    """Return an address of the route."""
    path = route.path
    for name, value in NOBODY.items():
        path = path.replace(f"{{{name}}}", value)
    return path


async def refused(session: Any, route: Route, query: list[tuple[str, str]]) -> dict[str, Any]:
    """Ask, and return the problem that a 422 says."""
    async with session.get(address_of(route), params=query, headers=ADMIN) as answer:
        assert answer.status == 422, (route.path, query, await answer.text())
        problem: dict[str, Any] = await answer.json(content_type=None)
        return problem


@pytest.mark.parametrize("route", LISTS, ids=lambda r: r.path)
async def test_a_name_that_a_route_does_not_know_is_refused_with_those_that_it_does(route: Route):
    async with a_site() as (session, _):
        problem = await refused(session, route, [("bogus", "1")])
        assert "bogus" not in problem["detail"]
        for name in route.query:
            assert name in problem["detail"]


@pytest.mark.parametrize(("route", "name"), CLOSED, ids=lambda each: getattr(each, "path", each))
async def test_a_value_that_nothing_can_have_is_refused_with_those_that_there_are(
    route: Route, name: str
):
    async with a_site() as (session, _):
        for nonsense in ("nope", "", route.values[name][0].upper()):
            problem = await refused(session, route, [(name, nonsense)])
            assert problem["field"] == name
        assert route.values[name][0] in problem["detail"]
        twice = [(name, value) for value in route.values[name][:2]]
        assert (await refused(session, route, twice))["field"] == name


@pytest.mark.parametrize(("route", "name"), CLOSED, ids=lambda each: getattr(each, "path", each))
async def test_every_value_that_there_is_is_answered(route: Route, name: str):
    async with a_site() as (session, _):
        for value in route.values[name]:
            async with session.get(
                route.path, params={name: value, "limit": "1"}, headers=ADMIN
            ) as answer:
                assert answer.status in (200, 404), await answer.text()


async def test_who_may_not_ask_hears_that_first():
    async with a_site() as (session, _), session.get("/api/v1/sends?bogus=1") as answer:
        assert answer.status == 401


def test_the_verdicts_are_those_that_split_tests_come_to():
    assert (*VERDICTS, ENDED) == OF_EXPERIMENTS


def test_the_document_lists_the_values():
    paths = document(all_routes())["paths"]
    for route, name in CLOSED:
        [told] = [p for p in paths[route.path]["get"]["parameters"] if p["name"] == name]
        assert told["schema"]["enum"] == list(route.values[name])
