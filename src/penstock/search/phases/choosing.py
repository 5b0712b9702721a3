"""What the model is made of: the best candidate alone, or a weighted mean of several where that pays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.search import Footprint, Trial
from penstock.evaluation import metrics
from penstock.search.encoding import folds_folder
from penstock.search.machine.messages import out_of_fold_path
from penstock.search.model.ensemble import Evidence, Mixture, mix
from penstock.search.order.plans import BASELINE, score_of
from penstock.search.trial_records import Ended
from penstock.search.work import Work

ENSEMBLE = "ensemble"  # what the leaderboard calls a mixture's family
MOST_MEMBERS = 10  # that weights are learnt for
BEST_OF_FAMILY = 2  # besides its default and its portfolio: tuned trials of one family are much alike
FEWEST_ROWS = 200  # with fewer no weight means anything
SECONDS_PER_CELL = 1e-7  # rows times members times classes: what learning the weights takes, nested folds too


@dataclass(frozen=True, slots=True)
class Pick:
    """The candidates that the model is made of, with their weights; `mixture` is what was measured of several."""

    members: tuple[tuple[Ended, float], ...]
    mixture: Mixture | None = None
    reasons: tuple[str, ...] = ()

    def trial(self, number: int, footprint: Footprint | None = None) -> Trial:
        """Return the trial that wins: the one member's, or one of that number, and so large, that is the mixture."""
        if self.mixture is None:
            return self.members[0][0].trial
        return Trial(
            number=number,
            family=ENSEMBLE,
            parameters={f"{one.trial.family} {one.trial.number}": round(weight, 4) for one, weight in self.members},
            state="finished",
            score=self.mixture.score,
            fold_scores=self.mixture.scores,
            seconds=0.0,
            slot=None,
            reason="a weighted mean, scored on folds that its weights were not learnt on",
            footprint=footprint,
        )

    def write(self, folder: Path) -> Path:
        """Return where the winner's out-of-fold predictions lie; a mixture's are written first."""
        if self.mixture is None:
            return out_of_fold_path(str(folds_folder(folder)), self.members[0][0].trial.number)
        path = folds_folder(folder) / "oof-mixture.npy"
        with path.open("wb") as file:
            np.save(file, self.mixture.predictions, allow_pickle=False)
        return path


def choose(best: Ended, candidates: list[Ended], work: Work) -> Pick:
    """Choose between the best candidate and a mean of several, by nested folds.

    Parameters
    ----------
    best
        What wins if a mean does not pay.
    candidates
        What may be a member: whole trials that are at hand, or will be in time, and together within the limits; `best`
        among them.
    work
        The search: its rows' target, its metric, its limits.
    """
    pool = _pool(best, candidates)
    learnt = best.trial.family != BASELINE  # where nothing beats what looks at no feature, a mean of noise is noise
    if not learnt or len(pool) < 2 or len(work.rows.target) < FEWEST_ROWS:  # noqa: PLR2004 - a mean needs two
        return Pick(((best, 1.0),))
    folder = str(folds_folder(work.folder))
    predictions = [np.load(out_of_fold_path(folder, one.trial.number), allow_pickle=False) for one in pool]
    mixture = mix(predictions, _evidence(work))
    members = tuple((pool[place], weight) for place, weight in mixture.weights)
    if len(members) < 2:  # noqa: PLR2004 - see above
        return Pick(((best, 1.0),), None, (f"of {len(pool)} candidates one alone has all the weight in a mean",))
    told = _told(members, mixture, work.settings.metric)
    if not mixture.pays:
        return Pick(((best, 1.0),), None, (f"{told}: not more than noise, so that one candidate is kept",))
    return Pick(members, mixture, (told,))


def choosing_seconds(work: Work) -> float:
    """Return what `choose` is expected to take at most."""
    return 0.3 + len(work.rows.target) * MOST_MEMBERS * max(1, work.rows.classes) * SECONDS_PER_CELL


def _pool(best: Ended, candidates: list[Ended]) -> list[Ended]:
    """Return the best of each family, its default and its portfolio; the best of all first."""
    seen: dict[str, int] = {}
    kept = []
    for one in sorted(candidates, key=lambda one: (one is not best, -score_of(one), one.trial.number)):
        family = one.trial.family
        if family == BASELINE or not one.fits:
            continue
        place = seen[family] = seen.get(family, 0) + 1
        if place <= BEST_OF_FAMILY or one.kind != "tuned":
            kept.append(one)
    return kept[:MOST_MEMBERS]


def _evidence(work: Work) -> Evidence:
    costs: NDArray[Any] | None = np.asarray(work.costs, np.float64) if work.costs else None
    rows = work.rows
    return Evidence(rows.target, np.asarray(rows.fold), work.settings.metric, rows.classes, costs)


def _told(members: tuple[tuple[Ended, float], ...], mixture: Mixture, metric: str) -> str:
    names = ", ".join(f"{weight:.2f} {one.trial.family} (trial {one.trial.number})" for one, weight in members)
    score = metrics.shown(metric, mixture.score)
    return (
        f"a mean of {names} scores {score:.5g} {metric} on folds its weights were not learnt on, "
        f"{abs(mixture.gain):.2g} (± {mixture.error:.1g}) {'better' if mixture.gain > 0 else 'worse'} than the best "
        f"candidate alone; on the rows the weights were learnt on it looks {mixture.optimism:.1g} better"
    )
