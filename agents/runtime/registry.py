"""Wire the bots: which there are, who writes to whom, who reads the journal, hands mail over, trains. One table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agents.behavior_bot.bot import BehaviorBot
from agents.behavior_bot.identity import Resolver, further_keys, keys_of
from agents.behavior_bot.taking_back import began_at, order_keys_of, orders_named, takes_back
from agents.email_bot.bot import EmailBot
from agents.engagement_bot.bot import EngagementBot
from agents.learner_bot.bot import LearnerBot
from agents.protocol.bot import Bot
from agents.rules_manager.bot import RulesBot
from agents.runtime.spec import Identity
from agents.sales_bot.bot import SalesBot
from agents.social_bot.bot import SocialBot


@dataclass(frozen=True)
class Wiring:
    """Say how one bot is connected."""

    make: Callable[[], Bot]
    hears: tuple[str, ...]
    """Bots whose letters it gets (itself, where it writes to itself)."""
    reads_journal: bool = False
    hands_mail_over: bool = False
    looks_up: bool = False
    trains: bool = False


WIRING: dict[str, Wiring] = {
    "behavior": Wiring(BehaviorBot, ("behavior", "rules", "email", "social"), reads_journal=True),
    "rules": Wiring(RulesBot, ("behavior", "rules", "sales", "email", "engagement")),
    "engagement": Wiring(EngagementBot, ("behavior", "rules", "sales", "engagement")),
    "email": Wiring(EmailBot, ("behavior", "rules", "sales", "email"), hands_mail_over=True),
    "sales": Wiring(SalesBot, ("behavior", "email", "sales")),
    "social": Wiring(SocialBot, ("behavior", "social"), looks_up=True),
    "learner": Wiring(LearnerBot, ("behavior", "rules"), trains=True),
}

IDENTITY = Identity(
    keys_of, further_keys, Resolver, order_keys_of, takes_back, began_at, orders_named
)
"""Behavior's identity rules: only the bot that reads the journal has any."""


def shard_names(shards: dict[str, int]) -> list[str]:
    """Return the names of all shards (`behavior-0`, `rules-0` and so on); a bot that does not run has none."""
    return [f"{bot}-{index}" for bot in WIRING for index in range(shards.get(bot, 0))]


def senders_of(bot: str, shards: dict[str, int]) -> list[str]:
    """Return the names of the shards whose letters a bot's shards get."""
    return [f"{peer}-{index}" for peer in WIRING[bot].hears for index in range(shards.get(peer, 0))]
