"""Start the demo and judge from outside how soon leads buy and every row of the routine is taken.

    python tests/acceptance/demo.py [--sale 120] [--rows 600]

Nobody but the demo's own audience acts; what happened is read from visitors and their timelines. Exit 0 only if the
first lead has bought and every row was taken within so many seconds of ready.

Rules
1. A row is judged by what the routine's table says of both sides: what the visitor did *and* what the machine did.
2. Each visitor is looked at again only after something happened to them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from frame import Failed, Report, System, read_time, say

LOOK_SECONDS = 2.0
PAGE = 1_000
SESSION = timedelta(minutes=30)
AFTER_VISIT = timedelta(hours=24)
ROWS_PER_VISITOR = ("counters", "cohorts", "email")

Line = dict[str, Any]


class Story:
    """Hold one visitor and what their timeline tells, in order."""

    def __init__(self, visitor: dict[str, Any], timeline: list[Line]) -> None:
        self.visitor = visitor
        self.lines = timeline

    def of(self, kind: str, **wanted: Any) -> Iterator[Line]:
        """Return the lines of a kind that say all of this, of themselves or in their detail."""
        for line in self.lines:
            known = {**(line.get("detail") or {}), **line}
            if line["kind"].startswith(kind) and all(known.get(k) == v for k, v in wanted.items()):
                yield line

    def has(self, kind: str, **wanted: Any) -> bool:
        """Say whether there is such a line."""
        return any(True for _ in self.of(kind, **wanted))

    def events(self, *names: str) -> list[datetime]:
        """Return when these events happened."""
        return [read_time(e["at"]) for e in self.of("event") if e["what"] in names]

    def sends(self) -> list[Line]:
        """Return the marketing e-mails that were handed over."""
        return list(self.of("sends", status="handed over", success=False))

    def run(self) -> dict[str, Any]:
        """Return the first run."""
        runs = self.visitor["runs"]
        return runs[0] if runs else {"status": "", "attempt": 0}

    def pages_before(self, at: datetime) -> int:
        """Return how many pages the session had seen by then."""
        count = 0
        for seen in reversed([each for each in self.events("page", *_MOVES) if each <= at]):
            if at - seen >= SESSION:
                break
            at = seen
            count += seen in self._page_times
        return count

    @property
    def _page_times(self) -> list[datetime]:
        return self.events("page")


_MOVES = ("mail_clicked", "Product Viewed", "Product Added", "Cart Viewed", "Form Submitted")


def bounces(story: Story) -> bool:
    """Suppressed, no attempt, an alert."""
    bounced = story.has("sends", status="bounced")
    return bounced and not story.run()["attempt"] and not story.sends() and story.has("alerts")


def does_not_open(story: Story) -> bool:
    """Unopened, and tried again with another template at another hour."""
    sends = [each for each in story.sends() if each["stage"] == "invited"]
    if len(sends) < 2:
        return False
    first, second = sends[0], sends[1]
    opened = [at for at in story.events("mail_opened") if at < read_time(second["at"])]
    machine = story.has("story: response.by_machine")
    hours = {read_time(each["at"]).hour for each in (first, second)}
    return (machine or not opened) and first["template"] != second["template"] and len(hours) == 2


def opens(story: Story) -> bool:
    """Opened, not clicked, and written to with another template."""
    later = [each for each in story.sends() if each["stage"] == "opened"]
    if not later or not story.events("mail_opened"):
        return False
    before = story.sends()[0]
    return before["template"] != later[0]["template"] and not story.has(
        "story: stage.reached", stage="visited"
    )


def clicks(story: Story) -> bool:
    """Came by an e-mail, and the browser is this lead's."""
    clicked, pages = story.events("mail_clicked"), story.events("page")
    is_known = bool(story.visitor["user_ids"] and story.visitor["anonymous_ids"])
    return is_known and any(page >= min(clicked) for page in pages) if clicked else False


def carts(story: Story) -> bool:
    """Put something in the cart, and was left alone for as long as the visit lasted and a day."""
    reached = [read_time(e["at"]) for e in story.of("story: stage.reached", stage="cart")]
    if not reached:
        return False
    near = [s for s in story.sends() if reached[0] <= read_time(s["at"]) < reached[0] + AFTER_VISIT]
    return not near and not story.has("sends", status="waiting", stage="invited")


def _shown(story: Story, type_: str, depth: int) -> bool:
    seen = [e for e in story.of("engagements", interaction_type=type_) if e["shown_at"]]
    return any(story.pages_before(read_time(e["shown_at"])) >= depth for e in seen)


def opinion(story: Story) -> bool:
    """Saw the opinion form, two pages deep."""
    return _shown(story, "opinion_form", 2)


def chat(story: Story) -> bool:
    """Saw the invitation to chat, four pages deep."""
    return _shown(story, "chat_invitation", 4)


def one_more(story: Story) -> bool:
    """Saw a notice, or an offer on the way out."""
    return _shown(story, "exit_offer", 1) or _shown(story, "notice_bar", 1)


def goes_on(story: Story) -> bool:
    """Visited, did not buy, and got the next e-mail at the stage that was reached, a day later."""
    later = [each for each in story.sends() if each["stage"] in ("visited", "talk", "cart")]
    if not later:
        return False
    at = read_time(later[0]["at"])
    bought = [each for each in story.events("Order Completed") if each < at]
    pages = [each for each in story.events("page") if each < at]
    return not bought and bool(pages) and at - max(pages) >= AFTER_VISIT - SESSION


def buys(story: Story) -> bool:
    """Bought: won, thanked, and never written to on the path again."""
    orders = story.events("Order Completed")
    if not orders or not story.has("story: run.won") or not story.has("story: goal.reached"):
        return False
    won = min(read_time(each["at"]) for each in story.of("story: run.won"))
    thanked = story.has("sends", success=True, status="handed over")
    return thanked and not [s for s in story.sends() if read_time(s["at"]) > won]


def used_up(story: Story) -> bool:
    """Used the attempts up, and waits for a person."""
    alerted = story.has("story: run.alerted") and story.has("alerts")
    return alerted and 0 < story.run()["attempt"] <= 4


ROUTINE: dict[str, Callable[[Story], bool]] = {
    "bounces hard": bounces,
    "does not open": does_not_open,
    "opens, does not click": opens,
    "clicks": clicks,
    "adds to cart": carts,
    "looks at assist elements at depth 2": opinion,
    "still on assist pages at depth 4": chat,
    "about to leave, or does none of it": one_more,
    "leaves without buying": goes_on,
    "buys": buys,
    "uses up the attempts": used_up,
}


class Watch:
    """Look at every visitor until each row was seen."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._seen: dict[str, str] = {}
        self.taken: dict[str, float] = {}
        self.sale: float | None = None

    def look(self, seconds: float) -> None:
        """Judge everybody to whom something happened."""
        after: str | None = ""
        sends = self._sends()
        while after is not None:
            page = self._system.api(f"visitors?limit={PAGE}&after={after}")
            for row in page["visitors"]:
                mark = f"{[row[name] for name in ROWS_PER_VISITOR]} {sends.get(row['visitor_id'])}"
                if self._seen.get(row["visitor_id"]) != mark:
                    self._seen[row["visitor_id"]] = mark
                    self._judge(row["visitor_id"], seconds)
            after = page["after"] if len(page["visitors"]) == PAGE else None

    def _sends(self) -> dict[str, int]:
        """Return how often the machine acted on each visitor: a change is a reason to look again."""
        counts: dict[str, int] = {}
        for path, table in (
            ("sends", "sends"),
            ("alerts", "alerts"),
            ("engagements", "engagements"),
        ):
            for row in self._system.api(f"{path}?limit={PAGE}")[table]:
                counts[row["visitor"]] = counts.get(row["visitor"], 0) + 1
        return counts

    def _judge(self, id_: str, seconds: float) -> None:
        visitor = self._system.api(f"visitors/{id_}")
        timeline = self._system.api(f"visitors/{id_}/timeline")
        if visitor is None or timeline is None:  # merged meanwhile
            return
        story = Story(visitor, timeline["timeline"])
        if self.sale is None and visitor["orders"] and story.has("story: run.won"):
            self.sale = seconds
            say(f"first sale after {seconds:.0f} s")
        for name, is_taken in ROUTINE.items():
            if name not in self.taken and is_taken(story):
                self.taken[name] = seconds
                say(f"{len(self.taken)} of {len(ROUTINE)} after {seconds:.0f} s: {name}")


def main() -> int:
    """Run the driver."""
    parser = argparse.ArgumentParser(description="Judge the demo from outside.")
    parser.add_argument("--sale", type=float, default=120, help="seconds until the first sale")
    parser.add_argument("--rows", type=float, default=600, help="seconds until every row is taken")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mdma-demo-") as folder:
        system = System(Path(folder) / "data", "", ["--demo"])
        with system:
            ready = time.monotonic()
            say("ready")
            watch = Watch(system)
            while len(watch.taken) < len(ROUTINE) or watch.sale is None:
                seconds = time.monotonic() - ready
                if seconds > given.rows + LOOK_SECONDS:
                    break
                watch.look(seconds)
                time.sleep(LOOK_SECONDS)
            audit, _ = system.mdma("audit")
    made = Report()
    made.rows.append(_within("first sale", given.sale, watch.sale))
    for name in ROUTINE:
        made.rows.append(_within(name, given.rows, watch.taken.get(name)))
    made.system(system, audit)
    return made.finish()


def _within(what: str, most: float, found: float | None) -> tuple[str, str, str, bool]:
    told = "never" if found is None else f"{found:.0f} s"
    return what, f"< {most:.0f} s", told, found is not None and found < most


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Failed as failure:
        raise SystemExit(f"cannot go on: {failure}") from None
