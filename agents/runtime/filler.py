"""Back-fill the cohorts of a version that was published: the part of a publication that concerns everybody.

A document of the table `fillings`, under the publication's number, says how far that has come. Whoever's cohorts may
be others now, or of whom something is lacking that the new rules look at, is told by a fact in the journal, which
brings what is lacking (`agents.behavior_bot.filling`); everybody is looked at again until nobody is left to be told.

Rules
1. Every look can be repeated: who has what they need is told nothing more. After a crash a filling begins anew with
   its first visitor, and finds less to do.
2. A newer publication replaces one whose filling is not done, and does what it left.
3. Histories of `LACKING_MAX` visitors are held at once; the record is read once for each so many.
4. Where the consent setting is another one than everybody was told, whoever may be written to by one of the two alone
   is asked anew in the same way: they do nothing by which Behavior would find it out. A setting is noted before
   anything is done under it: people are planned under it at once, also if another start takes it back at half way.
5. A cohort is *being filled* until the filling is done: then it is exact for everybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any

from agents.behavior_bot.evaluate import evaluate, moment
from agents.behavior_bot.filling import settle
from agents.behavior_bot.knowing import may_email, may_look_up
from agents.behavior_bot.state import BehaviorState
from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.runtime.held import Codec
from agents.runtime.history import History, first_under, kept_since
from agents.runtime.passing import Passage, Ways, look_always
from agents.runtime.registry import WIRING
from agents.runtime.spec import shard_of
from agents.runtime.views import PUBLICATIONS, PUBLISHED, Compile, Versions, read_versions
from messaging.ports import Store
from messaging.vocabulary.effects import WakeAt
from messaging.vocabulary.events import RulesFilled

FILLINGS, UNDER_WAY, DONE, REPLACED = "fillings", "under way", "done", "replaced"

TELLS = 3
"""Number of what Behavior tells the others of a visitor; 2: by which consent settings they may be written to, 3: and
asked about."""

CARRIED = ("consent", "consents", "tells")
"""What a filling takes over from the one before."""

PAGE = 500
"""Visitors read, and told, at once."""
LACKING_MAX = 20_000
"""Visitors whose histories are held at once: some 200 MB."""
SAVE_SECONDS = 1.0
"""Pause between two notes on how far it has come."""
ROUNDS_MAX = 100

Awaited = dict[str, AbstractSet[str]]
"""Visitor -> whose histories they await."""


class Filler:
    """Work off the filling of the newest publication.

    Parameters:
        ways: ports.
        compile_: makes rules of files.
        consent: the consent setting in force.
    """

    def __init__(
        self, ways: Ways, compile_: Compile, consent: str = "opt-in", lacking_max: int = LACKING_MAX
    ) -> None:
        self._to = ways
        self._versions = Versions(compile_)
        self._consent = consent
        self._lacking_max = lacking_max
        self._passage = Passage(ways, "filler")
        self._codec = Codec(WIRING["behavior"].make())
        self._saved_at = 0.0

    async def run(self) -> None:
        """Work until cancelled; what a filling meets on its way is met again after a pause."""
        await look_always(self._to, self.look, "filling.interrupted")

    async def look(self) -> int:
        """Carry the filling of the newest publication to its end; return how many there were to carry."""
        last = await self._to.store.get_document(*PUBLISHED)
        if last is None:
            return 0
        job = await self._to.store.get_document(FILLINGS, str(last["number"]))
        if job is None:
            job = await self._begun(last)
            await self._save(job)
        await self._note_setting(job)
        if job["status"] == UNDER_WAY:
            await self._fill(job)
        elif job["consents"] or job.get("tells") != TELLS or job.get("spoken"):
            await self._consented(job)
        else:
            return 0
        return 1

    async def _note_setting(self, job: dict[str, Any]) -> None:
        """Note the consent setting in force, unless everybody was told it and no other was in force since."""
        told = job.get("consent", self._consent)  # an older product did not note it
        met = set(job.get("consents", ()))
        if told != self._consent:
            met.add(self._consent)
        noted = {"consent": told, "consents": sorted(met)}
        if any(job.get(name) != value for name, value in noted.items()):
            job |= noted
            await self._save(job)

    async def _consented(self, job: dict[str, Any]) -> None:
        """Ask those anew of whom the setting in force says something else than one of those before.

        Where an older product told the others less than this one does, everybody who is known is asked; where templates
        name traits that none named before, everybody who has one of them.
        """
        named = job.get("spoken", ())
        is_more = job.get("tells") != TELLS
        settings = {job["consent"], *job["consents"]} - {self._consent}
        view, after, told = await self._view(job), "", 0
        await self._seen(int(job["id"]))
        while page := await self._to.store.visitors("behavior", after, PAGE):
            after = page[-1]
            if not await self._is_newest(job):
                return
            states = (await self._to.store.load("behavior", page)).items()
            held = {visitor: self._codec.decode(body) for visitor, body in states}
            others = [
                visitor
                for visitor, each in held.items()
                if not each.moved
                and (
                    (
                        each.state.address
                        and (is_more or any(name in each.state.traits for name in named))
                    )
                    or any(_differs(each.state, other, self._consent) for other in settings)
                )
            ]
            await self._tell([_nothing(each, view) for each in others])
            told += len(others)
        await self._save(
            job | {"consent": self._consent, "consents": [], "tells": TELLS, "spoken": []}
        )
        self._to.log.info("consent.changed", setting=self._consent, visitors=told)

    # Begin

    async def _begun(self, publication: dict[str, Any]) -> dict[str, Any]:
        """Return the document of a filling that begins; where no cohort is another one it is done."""
        number = int(publication["number"])
        rules = await self._rules(int(publication["version"]))
        before = await self._to.store.get_document(PUBLICATIONS, str(number - 1))
        known = await self._rules(int(before["version"])) if before is not None else None
        cohorts = [] if known is None else changed(rules, known)
        last = await self._to.store.get_document(FILLINGS, str(number - 1))
        since = dict(last["since"]) if last is not None else {}
        if known is not None and (last is None or last["status"] != DONE):
            left = rules.cohorts if last is None else last["cohorts"]
            cohorts = [name for name in rules.cohorts if name in cohorts or name in left]
        is_due = bool(cohorts) or (known is not None and rules.keeps != known.keeps)
        return {
            "id": str(number),
            **{name: publication[name] for name in ("version", "at", "by")},
            "status": UNDER_WAY if is_due else DONE,
            "cohorts": cohorts,
            "done": {},
            "of": {},
            "told": 0,
            "since": {name: at for name, at in since.items() if name not in cohorts},
            "completed_at": None if is_due else self._to.clock.now(),
            **{name: last[name] for name in CARRIED if last and name in last},
            **({"tells": TELLS} if before is None else {}),  # nobody was told anything before
            "spoken": sorted(_newly_spoken(rules, known, last)),
        }

    # Fill

    async def _fill(self, job: dict[str, Any]) -> None:
        number = int(job["id"])
        view = await self._view(job)
        cuts = await self._seen(number)
        since = await kept_since(self._to.store, cuts)
        if since is not None:
            now = self._to.clock.now()
            job["since"] |= dict.fromkeys(too_short(view.rules, job["cohorts"], now - since), since)
        for _ in range(ROUNDS_MAX):
            history = History(self._to.store, self._to.journal, cuts, view, self._to.log)
            job["of"] = await self._people()
            told = await self._pass(job, view, history)
            if told is None:
                return await self._end(job, REPLACED)
            if not told:
                return await self._end(job, DONE)
            await self._passage.settled(1)
        self._to.log.error("filling.unfinished", version=job["version"])
        return None

    async def _seen(self, publication: int) -> dict[str, int]:
        """Wait until every shard of Behavior works under a publication; return its first batch that does."""
        of = self._to.shards["behavior"]
        cuts: dict[str, int] = {}

        async def have_seen() -> bool:
            await self._passage.records([self._passage.blank(index) for index in range(of)])
            for index in range(of):
                shard = f"behavior-{index}"
                found = await first_under(self._to.store, shard, publication)
                if found is not None:
                    cuts[shard] = found
            return len(cuts) == of

        await self._passage.until(have_seen)
        return {f"behavior-{index}": cuts[f"behavior-{index}"] for index in range(of)}

    async def _pass(self, job: dict[str, Any], view: View, history: History) -> int | None:
        """Look at everybody once; return how many were told anything, None where a newer publication is there."""
        done: Counter[str] = Counter()
        lacking: Awaited = {}
        told, after = 0, ""
        while page := await self._to.store.visitors("behavior", after, PAGE):
            after = page[-1]
            if not await self._is_newest(job):
                return None
            moved, other = await self._sorted(page, view, lacking)
            await self._tell([_nothing(each, view) for each in moved])
            told += len(moved)
            done.update(self._shard(each) for each in (*moved, *other))
            await self._progress(job, done, len(moved))
            if len(lacking) >= self._lacking_max:
                told += await self._bring(job, lacking, history, done)
        return told + await self._bring(job, lacking, history, done)

    async def _bring(
        self, job: dict[str, Any], lacking: Awaited, history: History, done: Counter[str]
    ) -> int:
        """Bring their history to those who lack it; forget them."""
        found = await history.of(lacking) if lacking else []
        for first in range(0, len(found), PAGE):
            some = found[first : first + PAGE]
            if not await self._is_newest(job):
                break
            await self._tell(some)
            done.update(self._shard(each) for each in {fact.visitor for fact in some})
            await self._progress(job, done, len(some))
        lacking.clear()
        return len(found)

    async def _sorted(
        self, page: list[str], view: View, lacking: Awaited
    ) -> tuple[list[str], list[str]]:
        """Return (visitors whose cohorts may be others now, visitors with whom all is well); note who lacks history."""
        changes: list[str] = []
        well: list[str] = []
        for visitor, body in (await self._to.store.load("behavior", page)).items():
            held = self._codec.decode(body)
            if held.moved:
                continue
            settled: BehaviorState = held.state
            if settled.kept < view.publication:
                settle(settled, visitor, view)
            if settled.awaiting:
                lacking[visitor] = frozenset(settled.awaiting)
            elif self._may_change(settled, visitor, view):
                changes.append(visitor)
            else:
                well.append(visitor)
        return changes, well

    def _may_change(self, state: BehaviorState, visitor: str, view: View) -> bool:
        """Say whether a visitor is to be asked for their cohorts: what comes of it is said by their shard alone."""
        if state.rules_version < 0 or state.rules_version == view.rules_version:
            return False
        if view.rules.probabilities:
            return True  # they are worked out from what only the shard has
        due = state.cohorts_due
        effects = evaluate(state, moment(visitor, self._to.clock.now(), view), (), [])
        return any(not isinstance(each, WakeAt) for each in effects) or state.cohorts_due != due

    async def _tell(self, facts: list[RulesFilled]) -> None:
        if facts:
            await self._passage.records([self._passage.fact(each) for each in facts])

    # What it stands on

    async def _view(self, job: dict[str, Any]) -> View:
        version = int(job["version"])
        return View(
            rules=await self._rules(version),
            rules_version=version,
            pinned=self._versions,
            snapshots={},
            consent=self._consent,
            publication=int(job["id"]),
        )

    async def _rules(self, version: int) -> CompiledRules:
        if version not in self._versions:
            await read_versions(self._to.store, self._versions)
        rules: CompiledRules = self._versions[version]
        return rules

    async def _is_newest(self, job: dict[str, Any]) -> bool:
        last = await self._to.store.get_document(*PUBLISHED)
        return last is not None and str(last["number"]) == job["id"]

    async def _people(self) -> dict[str, int]:
        """Return shard -> visitors it has, as of its last commit."""
        found = {}
        for index in range(self._to.shards["behavior"]):
            owner = await self._to.store.owner(f"behavior-{index}")
            figures = owner.figures if owner is not None else {}
            found[f"behavior-{index}"] = int(figures.get("people", 0))
        return found

    def _shard(self, visitor: str) -> str:
        return shard_of("behavior", visitor, self._to.shards)

    # How far it has come

    async def _progress(self, job: dict[str, Any], done: Counter[str], told: int) -> None:
        job["told"] += told
        job["done"] = {
            shard: max(job["done"].get(shard, 0), min(done[shard], people))
            for shard, people in job["of"].items()
        }
        if self._to.clock.machine() - self._saved_at >= SAVE_SECONDS:
            await self._save(job)

    async def _end(self, job: dict[str, Any], status: str) -> None:
        if status == DONE:
            job["done"] = dict(job["of"])
        await self._save(job | {"status": status, "completed_at": self._to.clock.now()})
        self._to.log.info("filling.ended", version=job["version"], status=status)

    async def _save(self, job: dict[str, Any]) -> None:
        fields = {name: value for name, value in job.items() if name != "id"}
        await self._to.store.put_document(FILLINGS, job["id"], fields)
        self._saved_at = self._to.clock.machine()


async def filling_of(store: Store) -> dict[str, Any] | None:
    """Return the filling of the publication that stands; None where nobody has begun with it yet."""
    last = await store.get_document(*PUBLISHED)
    return await store.get_document(FILLINGS, str(last["number"])) if last is not None else None


async def is_filled(store: Store, cohort: str) -> bool:
    """Say whether all who belong in a cohort are known, by the publication that stands."""
    job = await filling_of(store)
    if job is not None:
        return job["status"] != UNDER_WAY or cohort not in job["cohorts"]
    last = await store.get_document(*PUBLISHED)
    # Nobody has begun with it: which cohorts are others now is found out in a moment.
    return last is None or (
        await store.get_document(PUBLICATIONS, str(int(last["number"]) - 1)) is None
    )


def changed(rules: CompiledRules, before: CompiledRules) -> list[str]:
    """Return the cohorts of a version that are new or ask for something else than in another one."""
    old = before.cohorts
    return [n for n, each in rules.cohorts.items() if n not in old or old[n].said != each.said]


def too_short(rules: CompiledRules, cohorts: list[str], kept: timedelta) -> list[str]:
    """Return those of some cohorts that look further back than the record is kept."""
    hours = kept / timedelta(hours=1)
    return [name for name in cohorts if rules.cohorts[name].reach_hours > hours]


def percent(job: dict[str, Any]) -> int:
    """Return how much of a filling is done, in whole per cent; 100 only when all is.

    >>> percent({"status": UNDER_WAY, "done": {"behavior-0": 999}, "of": {"behavior-0": 1000}})
    99
    """
    if job["status"] == DONE:
        return 100
    whole = sum(job["of"].values())
    return min(99, 100 * sum(job["done"].values()) // whole) if whole else 0


def _differs(state: BehaviorState, before: str, now: str) -> bool:
    """Say whether two consent settings answer differently whether somebody may be written to, or looked up."""
    return may_email(state, before) != may_email(state, now) or may_look_up(
        state, before
    ) != may_look_up(state, now)


def _newly_spoken(
    rules: CompiledRules, before: CompiledRules | None, last: dict[str, Any] | None
) -> AbstractSet[str]:
    """Return the traits that templates name and did not before, or of which people were not told yet."""
    if before is None:
        return set()
    left = set(last.get("spoken", ())) if last is not None else set()
    return (rules.spoken - before.spoken) | (left & rules.spoken)


def _nothing(visitor: str, view: View) -> RulesFilled:
    """Return the fact by which a visitor is asked for their cohorts: nothing is lacking of them."""
    return RulesFilled(visitor=visitor, publication=view.publication, of=visitor)
