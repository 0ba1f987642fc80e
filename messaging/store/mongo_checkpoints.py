"""Keep checkpoints in MongoDB: the head of each shard's, and beside it a copy of each state.

checkpoints        _id shard; batch, positions, at (microseconds), code, figures
checkpoint_states  _id "shard:visitor"; b batch, s state
"""

from __future__ import annotations

from typing import Any

from bson import Int64
from pymongo import ASCENDING

from messaging.ports import Checkpoint
from messaging.store.connection import Database, Session, world
from messaging.store.mongo_layout import states_of
from messaging.store.values import from_micros, partition_bounds, to_micros

HEADS, COPIES = "checkpoints", "checkpoint_states"


def copy_key(shard: str, visitor: str) -> str:
    """Return the `_id` of a copied state."""
    return f"{shard}:{visitor}"


class MongoCheckpoints:
    """Be the part of `MongoStore` that keeps checkpoints."""

    _database: Database
    _reading_in: Session | None

    async def checkpoint(self, shard: str) -> Checkpoint | None:
        """Return the checkpoint of a shard."""
        with world():
            found = await self._database[HEADS].find_one({"_id": shard}, session=self._reading_in)
        if found is None:
            return None
        positions = {stream: int(last) for stream, last in found["positions"].items()}
        figures = dict(found["figures"]) if "figures" in found else None
        at = from_micros(found["at"])
        return Checkpoint(int(found["batch"]), positions, at, found["code"], figures)

    async def put_checkpoint(self, shard: str, head: Checkpoint) -> None:
        """Say that the states of a checkpoint were copied."""
        positions = {stream: Int64(last) for stream, last in head.positions.items()}
        fields = {"positions": positions, "at": Int64(to_micros(head.at)), "code": head.code}
        document: dict[str, Any] = {"_id": shard, "batch": Int64(head.batch), **fields}
        if head.figures is not None:
            document["figures"] = list(head.figures.items())  # pairs, since a name may hold a dot
        with world():
            await self._database[HEADS].replace_one({"_id": shard}, document, upsert=True)

    async def remove_checkpoint(self, shard: str) -> None:
        """Take back that there is a checkpoint."""
        with world():
            await self._database[HEADS].delete_one({"_id": shard})

    async def copy_states(
        self, shard: str, bot: str, of: tuple[int, int], batch: int, after: str, limit: int
    ) -> tuple[int, str]:
        """Copy states inside the server: none of them travels."""
        states = self._database[states_of(bot)]
        first, last = partition_bounds(of)
        with world():
            cursor = states.find({"_id": {"$gt": after}}, {"_id": 1})
            ids = [
                each["_id"]
                for each in await cursor.sort("_id", ASCENDING).limit(limit).to_list(None)
            ]
            if not ids:
                return 0, ""
            match = {"_id": {"$gt": after, "$lte": ids[-1]}, "p": {"$gte": first, "$lte": last}}
            count = await states.count_documents(match)
            copied = {
                "_id": {"$concat": [copy_key(shard, ""), "$_id"]},
                "b": {"$literal": Int64(batch)},
                "s": 1,
            }
            stages: list[dict[str, Any]] = [
                {"$match": match},
                {"$project": copied},
                {"$merge": {"into": COPIES, "whenMatched": "replace"}},
            ]
            await states.aggregate(stages).to_list(None)
        return count, ids[-1] if len(ids) == limit else ""

    async def kept_visitors(self, shard: str, after: str, limit: int) -> list[str]:
        """Return the ids of visitors that a shard's checkpoint has a state of, those after `after`."""
        head = await self.checkpoint(shard)
        if head is None:
            return []
        prefix = copy_key(shard, "")
        behind = {
            "$gt": copy_key(shard, after),
            "$lt": f"{shard};",
        }  # the character that follows the colon
        with world():
            cursor = self._database[COPIES].find({"_id": behind, "b": head.batch}, {"_id": 1})
            found = await cursor.sort("_id", ASCENDING).limit(limit).to_list(None)
        return [each["_id"].removeprefix(prefix) for each in found]

    async def kept_states(self, shard: str, visitors: list[str]) -> dict[str, bytes]:
        """Return the states of these visitors in a shard's checkpoint."""
        head = await self.checkpoint(shard)
        if head is None or not visitors:
            return {}
        keys = {copy_key(shard, visitor): visitor for visitor in visitors}
        with world():
            cursor = self._database[COPIES].find({"_id": {"$in": list(keys)}, "b": head.batch})
            found = await cursor.batch_size(len(keys) + 1).to_list(None)
        return {keys[each["_id"]]: bytes(each["s"]) for each in found}
