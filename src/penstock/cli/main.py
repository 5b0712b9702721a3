"""The `penstock` command: finds the command's module, and turns errors into messages and exit codes."""

import atexit
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from penstock.cli.faults import Interrupted, fault_of
from penstock.cli.output import Output
from penstock.collecting import collect_rarely
from penstock.errors import PenstockError

COMMANDS = {
    "init": ("training", "Write the project file, with what the data says and a comment for each setting."),
    "run": ("training", "From a file to a served model: the main job, in one command."),
    "train": ("training", "Search, judge and, if it is better, release a new version."),
    "resume": ("training", "Go on with a training that was stopped, without losing a trial."),
    "predict": ("serving", "Predict a whole table offline, with the released version."),
    "monitor": ("monitoring", "Watch one window of answers now: what moved, what was lost, what follows."),
    "label": ("serving", "Bring the true values of answered rows."),
    "keys": ("serving", "Make, list and revoke keys of the inference service."),
    "release": ("traffic", "Give all traffic to a version, by hand."),
    "rollback": ("traffic", "Give all traffic back to the version before."),
    "approve": ("traffic", "Let a release that waits for approval begin."),
    "reject": ("traffic", "Refuse a release that waits for approval."),
    "audit": ("traffic", "Say who did what, when and why."),
    "audit-verify": ("traffic", "Check that no entry of the audit was changed or taken out."),
    "quarantine": ("data", "List rows set aside, and re-admit them."),
    "up": ("stack", "Start the stack on this machine, and wait until every part answers."),
    "down": ("stack", "End the stack."),
    "status": ("stack", "Say what runs, where and since when."),
    "doctor": ("stack", "Examine this machine and the workspace."),
    "demo": ("demo", "Tell the whole story on real data; stream customers to try the loop with."),
}


class Penstock(click.Group):
    """A group that loads a command's module only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a model's life."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, its module loaded."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"penstock.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.group(cls=Penstock, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="penstock")
def penstock() -> None:
    """From a file to a served model that keeps itself good.

    Every command has --help and --json (one JSON object on standard output). Exit codes: 0 done, 2 what was asked
    cannot be done, 3 refused by a contract, a gate or a policy, 1 a fault of Penstock (its traceback is kept in a
    file that the message names), 130 stopped by Ctrl-C.
    """


class _Ending:
    """The last thing that a process of the command line does, once everything else has ended in order.

    Then it ends at once. A library's own threads may still be at work (pyarrow's, on the rest of a file that was
    refused), and taking Python down under them now and then aborts the process, with -6 for its exit code.
    """

    def __init__(self) -> None:
        self.code = 1  # of an error that nobody foresaw
        atexit.register(self._end)

    def _end(self) -> None:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:  # nobody reads any more, or the disk is full: not all was said
            self.code = self.code or 1
        os._exit(self.code)


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    collect_rarely()
    ending = _Ending()  # made first, so that it comes last
    try:
        _answer(sys.argv[1:])
    except SystemExit as asked:
        ending.code = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
        raise


def _answer(given: list[str]) -> None:
    try:
        code = penstock.main(args=given, standalone_mode=False)
    except PenstockError as error:
        Output(as_json="--json" in given).error(error)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        _end_with(Interrupted("Stopped by Ctrl-C."), given)
    except click.ClickException as error:
        _show_usage(error, as_json="--json" in given)
        sys.exit(2)
    except Exception as error:  # noqa: BLE001  nobody foresaw it; its traceback is kept
        _end_with(fault_of(error), given)
    sys.exit(code if isinstance(code, int) else 0)


def _end_with(error: PenstockError, given: list[str]) -> NoReturn:
    Output(as_json="--json" in given).error(error)
    sys.exit(error.exit_code)


def _show_usage(error: click.ClickException, *, as_json: bool) -> None:
    if as_json:
        usage = PenstockError(error.format_message())
        Output(as_json=True).error(usage)
    else:
        error.show()


def json_option(command: Any) -> Any:
    """Give a command the option --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")(command)


if __name__ == "__main__":
    main()
