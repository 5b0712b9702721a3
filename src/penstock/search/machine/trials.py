"""Trials and final fits as a slot's process runs them: on encoded rows, fold by fold."""

import math
import os
import pickle  # noqa: TID251  an estimator that this process fitted, read back by the search that asked for it
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.features import Flavour
from penstock.domain.search import Value
from penstock.errors import ModelError
from penstock.models._base import BuildContext, Estimator, ModelFamily
from penstock.search.machine.messages import FitJob, FoldDone, JobDone, Setting, TrialJob, bag_path, out_of_fold_path
from penstock.search.model.scoring import Scoring

WAIT_SECONDS = 0.02
INNER_SHARE = 0.1  # of a fold's training rows: what early stopping looks at
MOST_INNER_ROWS = 20_000
STRETCHES = 20  # of time, each with a part that early stopping looks at
AFTER = 0.2  # of a fold's time: kept for what follows a fit's deadline, before the first fold has shown how much
LEAST_OF_A_FOLD = 0.3  # of the folds before: with less time left the rest would say nothing
CHECKED_ROWS = 5_000  # that a final fit is checked on

Rows = NDArray[np.int64]
Ask = Callable[[FoldDone], bool]


@dataclass(slots=True)
class Shelf:
    """The arrays of a search, opened once."""

    setting: Setting
    opened: dict[str, NDArray[Any]] = field(default_factory=dict)

    def array(self, name: str, deadline: float) -> NDArray[Any]:
        """Return an array of the folder, memory-mapped, waiting for the parent to write it."""
        if name not in self.opened:
            path = Path(self.setting.folds.folder) / f"{name}.npy"
            while not path.exists():
                if time.monotonic() > deadline:
                    raise ModelError(f"The encoded rows {path.name!r} must be there before the trial's deadline.")
                time.sleep(WAIT_SECONDS)
            # Copied where it is written to: scikit-learn looks for missing values in a buffer that it may write to.
            self.opened[name] = np.load(path, mmap_mode="c", allow_pickle=False)
        return self.opened[name]

    def rows(self, fold: int) -> tuple[Rows, Rows]:
        """Return the rows that train a fold, and those that validate it."""
        folds = self.array("fold", 0.0)
        before = folds < fold if self.setting.folds.time_ordered else folds != fold
        return np.flatnonzero(before), np.flatnonzero(folds == fold)


def evaluate(job: TrialJob, family: ModelFamily, shelf: Shelf, ask: Ask) -> JobDone:
    """Fit and score one configuration on each fold, asking after each whether to go on.

    A fold's fit stops by its share of the time that is left, so that every fold has one. Early stopping looks at an
    inner split of the fold's training rows, never at the fold that is scored.
    """
    started = time.monotonic()
    folds = shelf.setting.folds
    shape = (folds.rows,) if folds.problem == "regression" else (folds.rows, folds.classes)
    out_of_fold = np.full(shape, np.nan)
    settled: list[dict[str, Value]] = []
    bag: list[tuple[int, bytes]] = []
    part: Any = None
    parameters, after = 0, 0.0
    first = ended = started
    for place, fold in enumerate(job.folds):
        x = shelf.array(f"{family.flavour}-{fold}", job.deadline)
        began = time.monotonic()
        least = (ended - first) / max(1, place) * LEAST_OF_A_FOLD
        left = max(0.0, job.deadline - began, min(least, job.latest - began))
        if left < least:
            raise ModelError(f"its time was over after {place} of {len(job.folds)} folds")
        share = left / (len(job.folds) - place)
        deadline = math.inf if math.isinf(share) else began + share - min(after or AFTER * share, share / 2)
        estimator = _fit_fold(job, family, shelf, fold, deadline)
        fitted = time.monotonic()
        validating = shelf.rows(fold)[1]
        out_of_fold[validating] = np.asarray(estimator.predict(np.asarray(x[validating]))).reshape(-1, *shape[1:])
        score = _score(shelf, out_of_fold, validating)
        settled.append(estimator.refit_parameters())
        if keeps_bag(folds.time_ordered, job):
            part = family.in_bag(estimator, place, len(job.folds))
            bag += [] if part is None else [(fold, pickle.dumps(part))]
        parameters = max(parameters, int(estimator.parameters))
        ended = time.monotonic()
        after = max(after, ended - min(fitted, deadline) if fitted > deadline else ended - fitted)
        if not ask(FoldDone(job.number, fold, score, ended - began)):
            return JobDone(job.number, stopped=True, seconds=time.monotonic() - started)
    if bag:
        _replace(bag_path(folds.folder, job.number), pickle.dumps(bag))
    _write(out_of_fold, out_of_fold_path(folds.folder, job.number))
    sides = tuple(shelf.rows(fold)[1] for fold in job.folds)
    scores = _scoring(shelf).scores(out_of_fold, sides) if _scoring(shelf).calls else ()
    seconds = time.monotonic() - started
    done = JobDone(job.number, _mean(settled), parameters, seconds, scores=scores, parts=len(bag))
    return _judged(done, family, shelf.setting, (estimator, part, len(bag)), fold)


def _fit_fold(job: TrialJob, family: ModelFamily, shelf: Shelf, fold: int, deadline: float) -> Estimator:
    x = shelf.array(f"{family.flavour}-{fold}", job.deadline)
    y = shelf.array("target", job.deadline)
    training = _capped(shelf.rows(fold)[0], job.most_rows, shelf)
    estimator = family.build(job.parameters, _context(job, family, shelf, deadline))
    if not _stops_early(family):
        return estimator.fit(np.asarray(x[training]), np.asarray(y[training]))
    inner = inner_rows(shelf, training)
    fitting, held = training[~inner], training[inner]
    valid = (np.asarray(x[held]), np.asarray(y[held]))
    return estimator.fit(np.asarray(x[fitting]), np.asarray(y[fitting]), valid)


def fit(job: FitJob, family: ModelFamily, shelf: Shelf) -> JobDone:
    """Fit one configuration on every row, and keep the estimator.

    Raises
    ------
    ModelError
        If it does worse on these rows than its folds did on rows that they had not seen.
    """
    started = time.monotonic()
    x = shelf.array(f"{family.flavour}-all", job.deadline)
    y = shelf.array("target", job.deadline)
    unfitted = family.build(job.parameters, _context(job, family, shelf, job.deadline))
    estimator = unfitted.fit(np.asarray(x), np.asarray(y))
    _check(estimator, job, shelf, x)
    done = JobDone(job.number, {}, int(estimator.parameters))
    done = _judged(done, family, shelf.setting, (estimator, None, 0), None)
    if not done.over:
        _replace(Path(job.path), pickle.dumps(estimator))
    return replace(done, seconds=time.monotonic() - started)


def _judged(
    done: JobDone, family: ModelFamily, setting: Setting, models: tuple[Any, Any, int], fold: int | None
) -> JobDone:
    """Return a job's end held against the limits; what that takes is loaded where it is needed alone."""
    if not setting.limits and not getattr(family, "unserved", ""):
        return done
    from penstock.search.machine.footprints import Scales

    return Scales(setting).judge(done, family, models, fold)


def _check(estimator: Estimator, job: FitJob, shelf: Shelf, x: NDArray[np.float32]) -> None:
    """Raise if an estimator does worse on rows it was fitted on than its folds did on them, when they were unseen.

    Rows that no fold validates are left out: the oldest, or those that were picked, may be harder than the others.
    """
    validated = np.flatnonzero(shelf.array("fold", 0.0) >= 0)
    rows = validated[:: max(1, validated.size // CHECKED_ROWS)]
    predicted = np.asarray(estimator.predict(np.asarray(x[rows])), np.float64)
    whole = np.full((len(x), *predicted.shape[1:]), np.nan)
    whole[rows] = predicted
    score = _score(shelf, whole, rows)
    if score < job.least:
        raise ModelError(
            f"A fit on all rows must do as well on them as the folds did on rows unseen ({job.least:.5g}), "
            f"but scores {score:.5g}: it was cut short or went astray."
        )


def inner_rows(shelf: Shelf, training: Rows) -> NDArray[np.bool_]:
    """Return which of a fold's training rows early stopping looks at; rows of one of several groups stay together.

    With time order these are the middles of stretches of time. The newest rows, which say most of what comes next,
    are fitted on: without them a family that stops early would look worse than it is, beside one that does not.
    """
    share = min(INNER_SHARE, MOST_INNER_ROWS / max(1, training.size))
    if shelf.setting.folds.time_ordered:
        stretches = min(STRETCHES, max(1, int(training.size * share)))
        inner = np.abs(np.arange(training.size) * stretches / training.size % 1 - 0.5) <= share / 2
    else:
        inner = _drawn(np.asarray(shelf.array("group", 0.0)[training]), shelf.setting.seed, share)
    return inner if inner.any() and not inner.all() else np.arange(training.size) % 10 == 0


def _drawn(groups: NDArray[np.uint64], seed: int, share: float) -> NDArray[np.bool_]:
    """Return the rows of about a share of the groups: of one group where none, or each, would be drawn."""
    mixed = (groups ^ np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    drawn: NDArray[np.bool_] = (mixed >> np.uint64(40)) < np.uint64(int(share * (1 << 24)))
    return drawn if drawn.any() and not drawn.all() else np.asarray(mixed == mixed.min())


def _capped(training: Rows, most: int | None, shelf: Shelf) -> Rows:
    if most is None or training.size <= most:
        return training
    if shelf.setting.folds.time_ordered:
        return training[-most:]
    return np.sort(np.random.default_rng(shelf.setting.seed).choice(training, most, replace=False))


def _context(job: TrialJob | FitJob, family: ModelFamily, shelf: Shelf, deadline: float) -> BuildContext:
    setting, flavour = shelf.setting, family.flavour
    return BuildContext(
        problem=setting.folds.problem,
        classes=setting.folds.classes,
        seed=setting.seed + (job.copy if isinstance(job, FitJob) else 0),
        threads=1,
        device=job.device,
        deadline=None if math.isinf(deadline) else deadline,
        categorical=_of(setting.categorical, flavour),
        monotone=_of(setting.monotone, flavour),
    )


def _of(by_flavour: dict[Flavour, tuple[int, ...]], flavour: Flavour) -> tuple[int, ...]:
    return by_flavour.get(flavour, ())


def _stops_early(family: ModelFamily) -> bool:
    return family.stops_early or family.library != "sklearn"


def _score(shelf: Shelf, predictions: NDArray[np.float64], rows: Rows) -> float:
    """Return the score of some rows; what is predicted so far of others says how these are calibrated."""
    if not np.all(np.isfinite(predictions[rows])):
        raise ModelError("Predictions must be finite numbers, but some are not.")
    return _scoring(shelf).scores(predictions, (rows,))[0]


def _scoring(shelf: Shelf) -> Scoring:
    setting = shelf.setting
    return Scoring(
        setting.metric,
        np.asarray(shelf.array("target", 0.0)),
        np.asarray(shelf.array("fold", 0.0)),
        setting.folds.classes,
        np.asarray(setting.costs, dtype=np.float64) if setting.costs else None,
    )


def _mean(settled: list[dict[str, Value]]) -> dict[str, Value]:
    """Return the mean over folds of what early stopping settled; whole numbers stay whole."""
    mean: dict[str, Value] = {}
    for name in settled[0] if settled else ():
        values = [one.get(name) for one in settled]
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) < len(values):
            mean[name] = values[0]
        else:
            middle = sum(numbers) / len(numbers)
            mean[name] = max(1, round(middle)) if all(isinstance(value, int) for value in numbers) else middle
    return mean


def keeps_bag(time_ordered: bool, job: TrialJob) -> bool:
    """Return whether a trial's fold models are kept; in time order the first of them know only old rows."""
    return not time_ordered and job.most_rows is None


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)


def _write(array: NDArray[np.float64], path: Path) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    draft.replace(path)
