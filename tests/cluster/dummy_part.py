"""A part that does next to nothing, for the tests of the shell around it."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
from datetime import timedelta

from agents.runtime.gate import GateReport
from messaging.ports import Chunk


class DummyPart:
    def __init__(self, name, settings, clock, peers):
        self.name = name
        self.settings = json.loads(settings)
        self.clock = clock
        self.peers = peers
        self.taken = []
        self.paused = 0
        self.refreshed = 0
        self.others = {}
        self.stop = asyncio.Event()
        self.due = None

    async def run(self):
        if self.settings.get("fails_at_start"):
            raise RuntimeError("a secret text")
        if "due_minutes" in self.settings:
            self.due = self.clock.now() + timedelta(minutes=self.settings["due_minutes"])
        await self.stop.wait()

    async def drain(self):
        self.stop.set()

    async def close(self):
        self.closed = True

    def deliver(self, chunk):
        if chunk.body == b"die":
            os._exit(9)
        if chunk.body == b"forward":
            passed_on = Chunk(chunk.stream, chunk.first, chunk.last, chunk.at, b"x")
            self.passing = asyncio.ensure_future(self.peers.deliver(self.settings["to"], passed_on))
        self.taken.append(chunk.first)
        return True

    def poke(self):
        while self.due is not None and self.clock.now() >= self.due:
            self.due += timedelta(minutes=self.settings["due_minutes"])

    def report(self):
        return GateReport(None, self.due)

    def metrics(self):
        return {
            "processed_total": float(len(self.taken)),
            "in_order": float(self.taken == sorted(self.taken)),
            "pid": float(os.getpid()),
            "timer_slack": float(ctypes.CDLL(None).prctl(30, 0, 0, 0, 0)),
            "paused": float(self.paused),
            "refreshed": float(self.refreshed),
            "others": float(len(self.others)),
        }

    def set_paused(self, paths):
        self.paused += 1

    def tell_others(self, metrics):
        self.others = metrics

    async def refresh(self):
        self.refreshed += 1


async def build(name, settings, clock, peers):
    return DummyPart(name, settings, clock, peers)


def configure_logs(name, settings):
    pass
