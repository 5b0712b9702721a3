"""The budget of a search in seconds: since when it runs, and what earlier processes of it spent."""

import json
import math
import time
from pathlib import Path

import numpy as np

from penstock.domain.search import SearchSettings
from penstock.search.trial_records import Ended

START_SECONDS = 3.0  # a slot's process loads its libraries in about as long
FITS = 2  # times what a fold took: what a resumed search has at least for the fit on all rows


class Clock:
    """Began at a time of `time.monotonic()`; `spent` is what earlier processes of the search took of its budget."""

    def __init__(self, folder: Path, began: float) -> None:
        self.began = began
        self.path = folder / "spent.json"
        kept = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {"seconds": 0.0}
        self.spent = float(kept["seconds"])

    def seconds(self) -> float:
        """Return for how long this process has searched."""
        return time.monotonic() - self.began

    def end(self, settings: SearchSettings, earlier: list[Ended]) -> float:
        """Return when the budget ends, as `time.monotonic()`; time ends no deterministic search.

        Parameters
        ----------
        settings
            The search's.
        earlier
            Trials of earlier processes: however much they spent, the best of them can still be fitted.
        """
        if settings.deterministic:
            return math.inf
        fit = max((float(np.mean(one.fold_seconds)) * FITS for one in earlier if one.fold_seconds), default=0.0)
        least = min(settings.budget.seconds, START_SECONDS + fit)
        return self.began + max(settings.budget.seconds - self.spent, least)

    def keep(self) -> None:
        """Write down what is spent so far; put in place as a whole: a kill leaves the former figure, or this."""
        draft = self.path.with_name(".spent.json")
        draft.write_text(json.dumps({"seconds": round(self.spent + self.seconds(), 3)}), encoding="utf-8")
        draft.replace(self.path)
