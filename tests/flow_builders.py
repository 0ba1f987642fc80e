"""Build small flows for tests: the files of one path of steps, and the view that holds it."""

from __future__ import annotations

from textwrap import dedent, indent

from agents.protocol.bot import View
from config.load import compile_files
from tests.rules_builders import PATH, OneVisitor, a_view

TEMPLATES = ("hello", "again", "thank-you")

COHORTS = """\
cohorts:
  addressable-lead: {when: {may_email: true}}
  in-cart: {when: {in_cart: true}}
"""

HEAD = """\
title: A flow
goal: [Order Completed]
entry: {cohort: addressable-lead}
quiet_hours: {from: 21, to: 8}
caps: [{channel: email, count: 1, hours: 20}]
attempts: {total: 3, after_open: 2}
response_window_hours: 72
after_visit_hours: 24
alert: {title: Nobody answers}
success: {template: thank-you}
sender: shop
"""

MAIL = "{timing: now, templates: [hello]}"
"""An e-mail of a flow, in one line."""


def files_of(steps: str, head: str = HEAD) -> dict[str, str]:
    """Return the files of rules with one flow; `steps` as they stand under `steps:`."""
    files = {
        "cohorts.yaml": COHORTS,
        "senders.yaml": "senders: {shop: {name: Shop, address: s@example.com, url: 'https://x.example'}}",
        f"paths/{PATH}.yaml": head + "steps:\n" + indent(dedent(steps).strip(), "  ") + "\n",
    }
    for name in TEMPLATES:
        body = "{html: '<p>Hi <a href=\"{{ unsubscribe_url }}\">leave</a></p>', text: 'Hi {{ unsubscribe_url }}', "
        files[f"templates/{name}.yaml"] = f"{body}subject: {name}}}\n"
    files["interactions/notice.yaml"] = dedent(
        """\
        title: A notice
        type: notice_bar
        when: {cohort: in-cart}
        minutes: 30
        frequency: {per_session: 1, per_day: 3}
        content: {title: Look, text: Here, dismiss: Close}
        """
    )
    return files


def a_flow(steps: str, version: int = 1, head: str = HEAD) -> View:
    """Return a view of rules with one flow."""
    return a_view(compile_files(files_of(steps, head), version))


def on(steps: str) -> OneVisitor:
    """Let a visitor enter a flow on Monday at seven; sends are handed over as they are asked for."""
    return OneVisitor(a_flow(steps)).enter()
