"""What a trial's models take to answer, measured by the process that fitted them; only where there are limits."""

import pickle  # noqa: TID251  a pipeline that this search fitted, in its own folder
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from penstock.domain.search import Footprint
from penstock.errors import ModelError
from penstock.models._base import ModelFamily
from penstock.search.encoding import pipeline_path
from penstock.search.machine.messages import JobDone, Setting
from penstock.search.model.blend import Blend, Member, Part
from penstock.search.model.limits import Limits, Row, measure, rounded, times
from penstock.search.trial_records import Ended

UNSERVED = "cannot be served"


def judged(ended: Ended, limits: Limits) -> Ended:
    """Return a trial of an earlier process held against the limits of this one; one never measured is over them."""
    if ended.trial.state != "finished" or ended.trial.over[:1] == (UNSERVED,):
        return ended
    found = ended.trial.footprint
    trial = replace(ended.trial, over=limits.over(found))
    return replace(ended, trial=trial, excess=limits.excess(found))


class Scales:
    """Weighs the models of one search."""

    def __init__(self, setting: Setting) -> None:
        self.limits = Limits(setting.limits)
        self._folder = Path(setting.folds.folder)

    def weigh(self, family: ModelFamily, estimator: Any, fold: int | None) -> Footprint | None:
        """Return what a model takes, fitted on the rows that train a fold (None: on all); None without limits.

        Raises
        ------
        MissingExtra
            If what limits are measured with is not installed.
        """
        if not self.limits.most:
            return None
        pipeline = pickle.loads(pipeline_path(self._folder, family.flavour, fold).read_bytes())  # noqa: S301
        blend = Blend((Member(family, 1.0, (Part(pipeline, estimator),)),))
        return rounded(measure(blend, self._rows()))

    def judge(self, done: JobDone, family: ModelFamily, models: tuple[Any, Any, int], fold: int | None) -> JobDone:
        """Return a job's end with what was measured.

        Parameters
        ----------
        done
            The end of a trial, or of a fit.
        family
            Of the models.
        models
            A fold's estimator, what a bag keeps of it (None: nothing), and the number of models in the bag.
        fold
            Which fold; None for a fit on all rows.
        """
        if why := getattr(family, "unserved", ""):
            return replace(done, over=(UNSERVED, why))
        if not self.limits.most:
            return done
        estimator, part, count = models
        try:
            single = self.weigh(family, estimator, fold)
            own = single if part is None or part is estimator else self.weigh(family, part, fold)
        except ModelError as error:
            return self._with(done, None, (UNSERVED, str(error)))
        bag = times(own, count) if own is not None and count else None
        return replace(self._with(done, single, self.limits.over(single)), bag=bag)

    def _with(self, done: JobDone, found: Footprint | None, over: tuple[str, ...]) -> JobDone:
        return replace(done, footprint=found, over=over, excess=self.limits.excess(found))

    def _rows(self) -> Row:
        numbers = np.load(self._folder / "some-numbers.npy", allow_pickle=False)
        return numbers, np.load(self._folder / "some-texts.npy", allow_pickle=False)
