"""Show what the bots are doing.

The words come from the reader, which the composition root gives: here they are put on a page. Each part of the page
has a name; one that did not change stays as it is in the browser.
"""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from messaging.gateway import frame
from messaging.gateway.deps import Gateway
from messaging.gateway.frame import text
from messaging.gateway.told import BotNow, Decided, Overview, PathNow, StageNow, Waiting

HERE = "/overview"
LOOK_SECONDS = 2.0

_ENDS = (
    ("going", "on the way"),
    ("won", "reached the goal"),
    ("calls", "with a person"),
    ("over", "ended otherwise"),
)
"""Field of a stage -> what its part of the bar means."""


async def overview(_: web.Request, gateway: Gateway) -> web.Response:
    """Show the six bots and the learner, as of now."""
    now = await gateway.deps.reader.overview()
    bots = f'<div class="bots">{"".join(map(_bot, now.bots))}</div>'
    columns = _section("paths", "Where people stand", _paths(now.paths))
    columns += _section("alerts", "Waiting for a person", _alerts(now))
    main = (
        f'<h1>What the machine is doing</h1><div id="tiles" data-part>{_tiles(now)}</div>'
        f'{_section("bots", "The bots", bots)}<div class="columns">{columns}</div>'
        f"{_section('decisions', 'Last decisions', _decisions(now.decisions))}"
    )
    page = frame.page("Overview", main, here=HERE, seconds=LOOK_SECONDS, aside=_clock(now))
    return frame.answer(page)


def link_to(visitor: str, who: str) -> str:
    """Return a link to a visitor's story."""
    return f'<a href="{HERE}/visitors/{quote(visitor, safe="")}">{frame.address(who)}</a>'


def _section(name: str, title: str, body: str) -> str:
    return (
        f'<section aria-labelledby="{name}-h"><h2 id="{name}-h">{title}</h2>'
        f'<div id="{name}" data-part>{body}</div></section>'
    )


def _clock(now: Overview) -> str:
    paused = f'<strong class="paused">{text(now.paused)}</strong>' if now.paused else ""
    return f'<p class="clock" id="clock" data-part>{paused}<span>{text(now.world)}</span></p>'


def _tiles(now: Overview) -> str:
    tiles = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}<small>{text(note)}</small></dd></div>"
        for name, value, note in now.tiles
    )
    return f'<dl class="tiles">{tiles}</dl>{_share(now)}'


def _share(now: Overview) -> str:
    """Draw who did the work: the machine's share as a bar, in words beside it."""
    return (
        '<div class="share"><svg viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="human" width="100" height="2"/><rect class="machine" height="2" '
        f'width="{now.machine_percent:.2f}"/></svg><p>{text(now.work)}</p></div>'
    )


def _bot(bot: BotNow) -> str:
    figures = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in bot.figures
    )
    state = f'<span class="state {text(bot.state)}">{text(bot.state)}</span>'
    return (
        f'<article class="bot"><h3>{text(bot.title)} {state}</h3><p class="now">{text(bot.now)}</p>'
        f'<p class="job">{text(bot.job)}</p><dl>{figures}</dl></article>'
    )


def _paths(paths: list[PathNow]) -> str:
    if not paths:
        return '<p class="none">Nobody is on a path yet.</p>'
    legend = "".join(f'<li class="{name}">{words}</li>' for name, words in _ENDS)
    return "".join(map(_path, paths)) + f'<ul class="legend">{legend}</ul>'


def _path(path: PathNow) -> str:
    most = max((_all(stage) for stage in path.stages), default=0) or 1
    rows = "".join(_stage(stage, most) for stage in path.stages)
    return (
        f'<table class="funnel"><caption>{text(path.name)}{_note(path.note)}</caption>'
        '<thead><tr><th scope="col">Stage</th>'
        '<th scope="col">Who stands there</th><th scope="col">People</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _stage(stage: StageNow, most: int) -> str:
    start, bars, said = 0.0, "", []
    for field, words in _ENDS:
        count: int = getattr(stage, field)
        if count:
            width = 100 * count / most
            bars += f'<rect class="{field}" x="{start:.2f}" width="{width:.2f}" height="10"/>'
            start += width
            said.append(f"{count:,} {words}")
    bar = f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{bars}</svg>'
    return (
        f'<tr><th scope="row">{text(stage.name)}{_note(stage.note)}</th><td class="bar">{bar}'
        f"<span>{', '.join(said) or 'nobody'}</span></td><td>{_all(stage):,}</td></tr>"
    )


def _note(note: str) -> str:
    return f" <small>{text(note)}</small>" if note else ""


def _all(stage: StageNow) -> int:
    return stage.going + stage.won + stage.calls + stage.over


def _alerts(now: Overview) -> str:
    fails = "".join(f"<li><p>{text(said)}</p></li>" for _, said in now.failing)
    if now.mail_waits:
        fails = f"<li><p>{text(now.mail_waits)}.</p></li>{fails}"
    if not now.alerts and not fails:
        return '<p class="none">Nobody: the machine is not stuck anywhere.</p>'
    more = now.alerts_open - len(now.alerts)
    rest = f'<p class="none">And {more:,} more.</p>' if more > 0 else ""
    return f'<ul class="lines">{fails}{"".join(map(_alert, now.alerts))}</ul>{rest}'


def _alert(alert: Waiting) -> str:
    who = link_to(alert.visitor, alert.who) if alert.visitor else text(alert.who)
    return f"<li><p>{who}: {text(alert.said)}</p><small>{text(alert.at)}</small></li>"


def _decisions(decisions: list[Decided]) -> str:
    if not decisions:
        return '<p class="none">None yet: the first comes when somebody may be written to, or looks around.</p>'
    return f'<ul class="lines">{"".join(map(_decision, decisions))}</ul>'


def _decision(decision: Decided) -> str:
    who = link_to(decision.visitor, decision.who)
    return (
        f"<li><p>{who}: {text(decision.said)}</p><small>{text(decision.at)} · {text(decision.why)}</small>"
        f"{_refused(decision)}</li>"
    )


def _refused(decision: Decided) -> str:
    if not decision.refused:
        return ""
    lines = "".join(
        f"<li><b>{text(arms)}</b>: {text(rule)}</li>" for rule, arms in decision.refused
    )
    return (
        f'<details id="d-{text(decision.id)}"><summary>What was not allowed, and why</summary>'
        f"<ul>{lines}</ul></details>"
    )
