"""Be the command `mdma`: one small file for each group of commands, one place for errors.

Exit codes: 0 done, 1 the thing failed, 2 called wrongly, 75 what was piped in is to come again (`mdma report` alone).
An error is one line that says what to do.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from messaging.vocabulary.errors import MdmaError
from scripts.visible import say

COMMANDS = {
    "up": "cli_up:up",
    "status": "cli_status:status",
    "stop": "cli_status:stop",
    "pause": "cli_status:pause",
    "resume": "cli_status:resume",
    "import": "cli_import:import_",
    "list": "cli_list:list_",
    "broadcast": "cli_broadcast:broadcast",
    "report": "cli_report:report",
    "visitor": "cli_visitor:visitor",
    "rules": "cli_rules:rules",
    "user": "cli_user:user",
    "simulate": "cli_simulate:simulate",
    "experiments": "cli_experiments:experiments",
    "learn": "cli_learn:learn",
    "quarantine": "cli_quarantine:quarantine",
    "replay": "cli_record:replay",
    "audit": "cli_record:audit",
    "export": "cli_export:export",
    "erase": "cli_erase:erase",
}
"""Command -> where it is; loaded when it is asked for, so that `mdma --help` stays quick."""


class Commands(click.Group):
    """Load a command's file when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's shape
        """Return the commands in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"scripts.{module}"), name)
        return command


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: mdma up --port 8080, then mdma status in another terminal.",
)
@click.version_option(package_name=None, message="%(version)s", version="0.1.0")
def group() -> None:
    """Move people along a conversion path, by machine."""


def main() -> int:
    """Run the command line and return the exit code."""
    from scripts.folder import Refused

    try:
        result = group.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "mdma"
        return _fail(f"{error.format_message()} (see {where} --help)", 2)
    except click.Abort:
        return _fail("stopped", 1)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except Refused as error:
        return _fail(str(error), error.code)
    except MdmaError as error:
        return _fail(str(error), 1)
    except (OSError, TimeoutError) as error:
        return _fail(str(error) or type(error).__name__, 1)
    except UnicodeEncodeError:
        return _fail("what was given is not UTF-8: write it in the terminal's own encoding", 2)
    except KeyboardInterrupt:
        return 130
    return result if isinstance(result, int) else 0


def _fail(text: str, code: int) -> int:
    line = " ".join(text.split())
    say(f"mdma: {line}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
