"""Say how `interactions/<name>.yaml` is written: what is offered on the site, to whom, how often, in which words.

Rules
1. Content is plain text: no template language and no HTML, so nothing that is shown can carry a script.
2. A link is http(s), or relative to the site: `javascript:` and the like are no links.
3. An answer becomes a trait of the field's name; an address is no answer, for it would decide who somebody is.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from agents.rules.basics import WrongValueError
from agents.rules.condition_models import InteractionType, Model, Name, Text

LINK = r"^(https?://[^\s<>\"]+|/([^/\s<>\"\\][^\s<>\"\\]*)?|[#?][^\s<>\"]*)$"
FIELD = r"^[a-z][a-z0-9_]{0,47}$"
"""As long as a trait's name may be."""

RESERVED = frozenset({"email", "email_consent"})

Words = Annotated[str, Field(min_length=1, max_length=500)]


class Frequency(Model):
    """Say how often: of a type in one session, and of all types in any 24 hours.

    Neither is more than the Rules Manager remembers of a visitor: a cap that is not counted to its end holds nothing.
    """

    per_session: Annotated[int, Field(ge=1, le=20)] = 1
    per_day: Annotated[int, Field(ge=1, le=20)] = 3


class Action(Model):
    """Describe the button that counts as a click."""

    label: Text
    url: Annotated[str, Field(pattern=LINK, max_length=500)]


class AskedFor(Model):
    """Describe one question of a form."""

    name: Annotated[str, Field(pattern=FIELD)]
    label: Text
    kind: Literal["choice", "rating", "text"]
    options: list[Text] | None = Field(default=None, min_length=2, max_length=12)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.kind == "choice") != (self.options is not None):
            raise WrongValueError(
                "a choice, and nothing else, has options",
                "list options: [Yes, No] under kind: choice, or take them out",
            )
        if self.name in RESERVED:
            raise WrongValueError(
                f"the answer cannot be called {self.name}",
                "give it another name: it becomes a trait",
            )
        return self


class Content(Model):
    """Hold the words."""

    title: Text
    text: Words
    action: Action | None = None
    fields: list[AskedFor] | None = Field(default=None, min_length=1, max_length=8)
    submit: Text | None = None
    thanks: Text | None = None
    """What is said once a form was sent; the browser has a word of its own where there is none."""
    dismiss: Text | None = None


class OnCohort(Model):
    """Say who gets it: whoever enters `cohort` while on the site, is in `only` and not in `unless`."""

    cohort: Name
    only: Name | None = None
    unless: Name | None = None


class InteractionFile(Model):
    """Hold `interactions/<name>.yaml`."""

    title: Text
    type: InteractionType
    when: OnCohort
    trigger: Literal["now", "exit"] = "now"
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    frequency: Frequency = Frequency()
    content: Content

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.type == "opinion_form") != (self.content.fields is not None):
            raise WrongValueError(
                "an opinion_form, and nothing else, has content.fields",
                "write fields into an opinion_form, and into nothing else",
            )
        if self.content.thanks is not None and self.type != "opinion_form":
            raise WrongValueError("only an opinion_form has content.thanks", "take thanks out")
        if self.type == "chat_invitation" and self.content.action is None:
            raise WrongValueError(
                "a chat_invitation needs content.action",
                "write action: {label: Talk to us, url: /contact}",
            )
        if (self.type == "exit_offer") != (self.trigger == "exit"):
            raise WrongValueError(
                "an exit_offer, and nothing else, has trigger: exit",
                "write trigger: exit with type: exit_offer, and with nothing else",
            )
        return self
