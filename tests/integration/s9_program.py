"""The search of scenario S9, in a process of its own: it may be killed at any moment, and be started again."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from penstock.domain.search import Slot
from penstock.search import campaign
from tests.unit.search.conftest import make_rows, make_work

ROWS = 10_000


def main(folder: str, trials: int) -> None:
    """Search two families in two slots; print the trials as JSON."""
    work = make_work(Path(folder), "lightgbm", "linear", seconds=90, trials=trials)
    slots = (Slot(0, (0,), 900), Slot(1, (1,), 900))
    found = campaign.run(replace(work, rows=make_rows(rows=ROWS), slots=slots))
    print(json.dumps({"trials": [asdict(trial) for trial in found.trials], "resumed": found.resumed}))  # noqa: T201  its answer


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
