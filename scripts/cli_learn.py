"""`mdma learn`: how each policy fares beside the rules, what the log says of it; turn one on that was taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from scripts.client import Api, data_option, json_option, tell
from scripts.counting import counted
from scripts.learn_report import report_of
from scripts.visible import shown

LEARNING = "/api/v1/learning"


@click.group(
    invoke_without_command=True,
    short_help="Show what is learned beside the rules; turn it on again.",
    epilog="Example: mdma learn, then mdma learn resume next_best/lead-to-customer/invited",
)
@json_option
@data_option
@click.pass_context
def learn(ctx: click.Context, data: Path, as_json: bool) -> None:
    """Show each policy: its version, what it decided, what it brings beside the rules, and whether it acts.

    A policy that does harm is taken back by itself: the rules decide in its place until you resume it. Of e-mails, an
    open alone counts a fifth of a click where it moves the lead on, elsewhere nothing; whether learning does harm is
    asked of any answer.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = {"policies": Api(data).get(LEARNING)["learning"]["guarded"]}
    lines = [line for each in found["policies"] for line in lines_of(each)]
    nothing = "nothing is learned yet: the first policy is published an hour after its first answer"
    tell(found, "\n".join(lines) or nothing, as_json=as_json)


@learn.command(epilog="Example: mdma learn report")
@json_option
@data_option
def report(data: Path, as_json: bool) -> None:
    """Show what is believed: lift, best hours, e-mails and offers with intervals, what is explored, calibration."""
    found = {"learning": Api(data).get(LEARNING)["learning"]}
    tell(found, "\n".join(report_of(found["learning"])), as_json=as_json)


@learn.command(epilog="Example: mdma learn resume next_best/lead-to-customer/invited")
@click.argument("policy", metavar="POLICY")
@json_option
@data_option
def resume(policy: str, data: Path, as_json: bool) -> None:
    """Turn a policy on again that was taken back; `mdma learn` names it. What is known of harm begins anew."""
    body = json.dumps({"policy": policy}).encode()
    found = Api(data).post(f"{LEARNING}/resume", body)
    done = "is on again" if found["status"] == "resumed" else "will be on again"
    tell(found, f"learning {done} for {shown(policy)}", as_json=as_json)


@learn.command(
    epilog="Example: mdma learn evaluate next_best/lead-to-customer/invited --against rules"
)
@click.argument("policy", metavar="POLICY")
@click.option(
    "--against",
    default="rules",
    show_default=True,
    metavar="rules|uniform|FILE.json",
    help="What it is held against; a file says arm: weight.",
)
@json_option
@data_option
def evaluate(policy: str, against: str, data: Path, as_json: bool) -> None:
    """Value a policy from the decision log: what it brings as it stands, beside the rules or another one.

    Values are mean answers a decision, by inverse propensities (IPS), self-normalised (SNIPS), doubly robust (DR), and
    switching (Switch-DR), with 95 % intervals. Below 1,000 effective answers there is no verdict.
    """
    other = against if against in ("rules", "uniform") else weights_of(Path(against))
    body = json.dumps({"policy": policy, "against": other}).encode()
    found = Api(data).post(f"{LEARNING}/evaluate", body)
    tell(found, "\n".join(valued_lines(found["evaluation"])), as_json=as_json)


def weights_of(file: Path) -> dict[str, float]:
    """Return arm -> weight of a file. Raise UsageError, which says what is wrong with it."""
    from messaging.gateway.acts import WEIGHT_MAX

    example = 'write {"hello": 3, "question": 1}'
    try:
        found = json.loads(file.read_bytes())
    except OSError:
        raise click.UsageError(
            f"--against is rules, uniform or a file; {file} cannot be read"
        ) from None
    except ValueError as error:
        raise click.UsageError(f"{file} is no JSON ({error}): {example}") from None
    if not isinstance(found, dict) or not found:
        raise click.UsageError(f"{file} names no arms with weights: {example}")
    for arm, weight in found.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 <= weight <= WEIGHT_MAX:
            most = f"{WEIGHT_MAX:,.0f}"
            raise click.UsageError(
                f"{file}: the weight of {arm} is no number from 0 to {most}: {example}"
            )
    return {str(arm): float(weight) for arm, weight in found.items()}


def valued_lines(found: dict[str, Any]) -> list[str]:
    """Return the lines that show an evaluation."""
    lines = [
        f"{shown(found['policy'])}, version {found['version']:,}, against {shown(found['against'])}",
        f"    {counted(found['answers'], 'answers')} to decisions that it drew, {found['logged']:.4f} each as decided",
    ]
    if found["left_out"]:
        lines.append(
            f"    {counted(found['left_out'], 'answers')} left out: the other takes none of their arms"
        )
    for each in found["policies"]:
        lines.append(f"  {shown(each['name'])}: {each['effective']:,.0f} effective answers")
        if each["why_not"]:
            lines.append(f"    no value: {each['why_not']}")
            continue
        for one in each["estimates"]:
            interval = f"[{one['low']:.4f}, {one['high']:.4f}]"
            lines.append(f"    {one['method']:<10} {one['value']:.4f} {interval}")
    if found["difference"] is not None:
        interval = f"[{found['low']:+.4f}, {found['high']:+.4f}]"
        lines.append(f"  difference {found['difference']:+.4f} {interval} (doubly robust)")
    lines.append(f"  {found['verdict']}")
    return lines


def lines_of(policy: dict[str, Any]) -> list[str]:
    r"""Return the lines that show one policy.

    >>> one = {
    ...     "policy": "send_time",
    ...     "title": "The hour of e-mails",
    ...     "version": 3,
    ...     "state": "learning",
    ... }
    >>> one |= {
    ...     "decisions": 1200,
    ...     "held_out": 60,
    ...     "lift": "+1.0 points (−0.5 to +2.5)",
    ...     "said": "learns",
    ... }
    >>> print("\n".join(lines_of({**one, "evidence": 1.0, "measures": []})))
    send_time  learning  version 3
        The hour of e-mails: learns
        1,200 decisions, 60 of them by the rules for held-out visitors
        answers beside the rules: +1.0 points (−0.5 to +2.5)
    """
    title, said = policy["title"], policy["said"]
    decisions = counted(policy["decisions"], "decisions")
    lines = [
        f"{shown(policy['policy'])}  {policy['state']}  version {policy['version']:,}",
        f"    {title}: {said}",
        f"    {decisions}, {policy['held_out']:,} of them by the rules for held-out visitors",
        f"    answers beside the rules: {policy['lift']}",
    ]
    if policy["state"] == "taken back":
        lines.append(f"    to turn it on again: mdma learn resume {shown(policy['policy'])}")
    for each in policy["measures"]:
        compared = f"{each['learned']} with learning, {each['rules']} by the rules"
        lines.append(
            f"    {each['title']}: {compared}; evidence of harm {each['evidence']:,.1f} (20 in all is enough)"
        )
    return lines
