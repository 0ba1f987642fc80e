"""Name every bound of the runtime in one place, each with its reason."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bound a shard's queues, batches, retries and waits."""

    batch_letters_max: int = 16_000
    """A batch of 16,000 letters takes a second, so that a crash repeats little. It is the size of one that is
    far behind: twice the batch, a tenth less work for an event."""
    journal_read_max: int = 2_000
    """Records read from the journal at once: 64 MB if each is as large as can be."""
    outbox_bytes_max: int = 4_000_000
    """Letters to one receiver beyond this become several documents: MongoDB takes 16 MB."""
    overlap_letters_min: int = 256
    """A batch of so many is built while another one is committed; fewer had better join the next."""
    batch_wakes_max: int = 500
    """What came due while everything was down is taken in slices, not as a storm."""
    inbox_chunks_max: int = 128
    """Chunks held in memory for each input stream; beyond that the receiver reads them from the store."""
    read_chunks_max: int = 64
    """Chunks read from the store at once when the inbox is behind."""
    visitors_in_memory_max: int = 20_000
    """States kept decoded: about 60 MB at 3 kB each."""
    undelivered_max: int = 64
    """Undelivered chunks at which a shard takes nothing new from its sources (journal, wake-ups)."""
    depth_max: int = 24
    """Causes in a chain; the longest honest chain of the routine has 9."""
    poison_tries: int = 3
    """How often a message that raises is tried before it goes into quarantine."""
    conflict_tries: int = 12
    commit_tries: int = 40
    """With back-off up to 2 s this outlasts a restart of the database (about a minute)."""
    backoff_first_seconds: float = 0.02
    backoff_last_seconds: float = 2.0
    sweep_seconds: float = 5.0
    """How often a shard looks for input that nobody told it of."""
    effects_max: int = 256
    """Effects of one step; more is a bug, not a load."""
