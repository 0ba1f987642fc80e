"""Hold the flow that runs in each seed beside the routine and the club: each kind of step, and each way out of one."""

from __future__ import annotations

PATH = "greeting"

FLOW = """\
title: A greeting that branches
priority: 20
worth: 60
goal: [Order Completed]
entry: {cohort: to-greet}
reentry: never
quiet_hours: {from: 21, to: 8}
caps:
  - {channel: email, count: 1, hours: 20}
  - {channel: email, count: 4, hours: 336}
attempts: {total: 3, after_open: 2}
response_window_hours: 72
after_visit_hours: 24
alert: {title: Greeted in vain}
success: {template: thank-you}
sender: shop
steps:
  - {name: rest, wait: {hours: 2}}
  - {name: seen, tag: seen}
  - {name: morning, wait: {until: {hour: 9}}}
  - {name: day, wait: {days: 1}}
  - name: is-seen
    if: {trait: {name: tags.seen, equals: true}}
    then: [{name: looked-after, owner: Eve}]
    else: [{name: forgotten, stage: forgotten}]
  - name: came-since
    if: {page: {starts_with: /, since_entry: true}}
    then: [{name: came, tag: came}]
  - name: two-ways
    split:
      ways:
        - name: letter
          share: 3
          steps:
            - name: hello
              email: {templates: [invite-hello, invite-question], different: [subject]}
        - name: site
          share: 2
          steps:
            - {name: notice, offer: {interaction: notice-new, hours: 30}}
            - {name: pause, wait: {hours: 20}}
            - {name: short, email: {timing: now, templates: [invite-short]}}
  - name: reads
    wait_until: {when: {answered: opened}, at_most_hours: 30}
    else:
      - {name: round, goto: two-ways, times: 1}
      - {name: call, alert: {title: Nobody reads this}}
  - name: looks
    wait_until: {when: {session: {depth_at_least: 2}}, at_most_hours: 40}
    else:
      - {name: reason, email: {templates: [reason-choice, reason-questions], default_hours: [18]}}
      - {name: up, goto: reason}
  - {name: done, end: true}
"""

FLOW_ON_HISTORY = FLOW.replace(
    "if: {trait: {name: tags.seen, equals: true}}",
    "if: {any: [{trait: {name: tags.seen, equals: true}}, {event: {name: Product Added, properties: "
    "{price: {at_least: 30}}}}]}",
)
"""The flow by another version: a question looks at what is lacking until history is filled in."""
assert FLOW_ON_HISTORY != FLOW, "the flow's text has changed"

COHORT = """
  to-greet:
    when: {all: [{cohort: addressable-lead}, {share: {salt: greeting, to: 0.4}}]}
"""

FORGOTTEN = "forgotten"
"""The step that is reached only where a trait that the flow had set a day before was not known."""

KINDS = ("wait", "wait_until", "if", "split", "email", "offer", "traits", "alert", "goto", "end")
