"""Prefect's own command, quicker to start: ``python -m penstock.orchestration.prefect_command ARGUMENTS``."""

import sys

from penstock.collecting import collect_rarely


def run_prefect(*arguments: str) -> None:
    """Run Prefect's command in this process."""
    collect_rarely()
    from prefect.cli import app

    sys.argv = ["prefect", *arguments]
    app()


if __name__ == "__main__":
    run_prefect(*sys.argv[1:])
