"""`mdma learn`, through the real command line and the gateway: what is shown, valued, and refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from messaging.vocabulary.effects import HARM
from messaging.vocabulary.ids import policy_alert_id
from tests.alert_builders import rows_of_learning_taken_back
from tests.console_builders import a_console, lived_in
from tests.integration.test_cli_json import _is_system, _mdma, _run

INVITED = "next_best/lead-to-customer/invited"
TAKEN_BACK = "next_best/lead/invited"


async def test_policies_are_listed_valued_and_refused_in_words(tmp_path: Path) -> None:
    store, now = await lived_in()
    for row in rows_of_learning_taken_back(TAKEN_BACK, now):
        await store.put_document(row.table, row.id, row.fields)

    def ask(*arguments: str, code: int = 0) -> Any:
        return asyncio.to_thread(_mdma, "learn", *arguments, cwd=tmp_path, code=code)

    def say(*arguments: str) -> Any:
        return asyncio.to_thread(_run, "learn", *arguments, cwd=tmp_path)

    async with a_console(store, now) as (session, _):
        _is_system(tmp_path / ".mdma", url=str(session._base_url).rstrip("/"))
        policies = {each["policy"]: each for each in (await ask())["policies"]}
        assert {"send_time", INVITED, TAKEN_BACK} <= policies.keys()
        assert policies[TAKEN_BACK]["state"] == "taken back"
        assert policies[TAKEN_BACK]["alert"] == policy_alert_id(TAKEN_BACK, HARM)
        assert policies[INVITED]["state"] == "learning"
        assert policies[INVITED]["measures"], "weeks of a world have windows that are over"

        told = (await ask("report"))["learning"]
        assert len(told["heat"]["rates"]) == 7
        lines = (await say("report")).stdout.splitlines()
        assert "What learning brings beside the rules alone" in lines
        assert sum(" believed, from " in line for line in lines) == 5
        assert any(line.startswith("  invite-hello") and " drawn " in line for line in lines)
        assert any(line.startswith("  explored: ") for line in lines)

        found = (await ask("evaluate", INVITED))["evaluation"]
        assert found["answers"] > 20
        assert found["left_out"] == 0, "the published rules have the stage"
        assert found["verdict"].startswith("no verdict"), "80 people are too few"
        assert (await ask("evaluate", "send_time", "--against", "uniform"))["evaluation"]["answers"]
        weights = tmp_path / "weights.json"
        weights.write_text('{"invite-hello": 1}')
        other = (await ask("evaluate", INVITED, "--against", str(weights)))["evaluation"]
        assert other["against"] == "file"

        misspelt, endless = tmp_path / "misspelt.json", tmp_path / "endless.json"
        misspelt.write_text('{"invite-helo": 1}')
        endless.write_text('{"invite-hello": Infinity}')
        for arguments, code, words in (
            (("evaluate", "next_best/x"), 1, ("no policy that chooses has this name", INVITED)),
            (("resume", "next_best/x"), 1, ("no policy that chooses has this name", INVITED)),
            (("resume", INVITED), 1, ("was not taken back",)),
            (("evaluate", INVITED, "--against", "x.json"), 2, ("rules, uniform or a file",)),
            (("evaluate",), 2, ("POLICY",)),
            (
                ("evaluate", INVITED, "--against", str(misspelt)),
                1,
                ("an arm that it never had", "invite-hello"),
            ),
            (
                ("evaluate", INVITED, "--against", str(endless)),
                2,
                ("no number from 0 to 1,000,000,000",),
            ),
        ):
            done = await say(*arguments)
            assert done.returncode == code, done.stderr
            assert all(each in done.stderr for each in words), done.stderr
        done = await say("resume", TAKEN_BACK)
        assert "will be on again" in done.stdout or "is on again" in done.stdout, done.stderr
        told = (await say()).stdout
        assert f"mdma learn resume {TAKEN_BACK}" in told
