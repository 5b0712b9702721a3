"""One study in a journal file: what to try next, what came of it, and what a dead process left behind."""

import hashlib
import logging
import math
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from penstock.domain.search import Choice, Footprint, Real, SearchSpace, Trial, Value, Whole
from penstock.search.machine.slots import lives, owner
from penstock.search.wishes.grids import grid

MOST_RETRIES = 2  # a configuration whose process died twice more is what kills it

RANDOM_TRIALS = 6  # of a family, before its sampler models what it has seen

Kind = Literal["default", "partial", "portfolio", "tuned"]
Sampler = Literal["tpe", "random", "grid"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration that is about to be tried."""

    number: int
    family: str
    kind: Kind
    parameters: dict[str, Value]
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that ended, with what later ones and the final fit learn from it.

    `refit` is what early stopping settled, in the mean over folds; `most_rows` what it was capped at; `bag` is what the
    bag of its fold models takes to answer, `parts` how many of them it holds, `excess` how many times over a limit one
    model is, less 1.
    """

    trial: Trial
    kind: Kind
    refit: dict[str, Value] = field(default_factory=dict)
    fitted_parameters: int = 0
    fold_seconds: tuple[float, ...] = ()
    most_rows: int | None = None
    bag: Footprint | None = None
    excess: float = 0.0
    parts: int = 0

    @property
    def whole(self) -> bool:
        """Whether it finished every fold on every row."""
        return self.trial.state == "finished" and not self.trial.partial

    @property
    def fits(self) -> bool:
        """Whether it is whole and within the limits: only such a trial may win."""
        return self.whole and not self.trial.over


class Study:
    """The trials of one search, a sampler for each family, in one journal file.

    Journal storage has no heartbeat: a trial whose owner (process id and start time) is dead is failed and tried
    again, at most twice.
    """

    def __init__(self, path: Path, seed: int, sampler: Sampler = "tpe") -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        logging.getLogger("optuna").propagate = False
        _mend(path)
        self._storage = JournalStorage(JournalFileBackend(str(path)))
        self._seed, self._sampler = seed, sampler
        self._studies: dict[str, optuna.Study] = {}
        self._open: dict[int, tuple[str, optuna.trial.Trial]] = {}
        self._asked: dict[int, dict[str, Any]] = {}
        names = [study.study_name for study in self._storage.get_all_studies()]
        begun = [trial for name in names for trial in self._study(name).get_trials(deepcopy=False)]
        self._next = 1 + max((_begun(trial).get("number", 0) for trial in begun), default=0)

    def reap(self) -> int:
        """Fail the trials whose owner is dead and queue them again; return how many there were."""
        count = 0
        for name, study in list(self._studies.items()):
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                begun = _begun(trial)
                if begun and lives(*begun["owner"]):
                    continue
                if "ended" in trial.user_attrs:  # killed between keeping what came of it and saying so
                    self._settle(study, trial.number, _restore(trial.user_attrs["ended"]))
                    continue
                study.tell(trial.number, state=TrialState.FAIL)
                count += 1
                retries = int(trial.user_attrs.get("retries", 0))
                if retries < MOST_RETRIES:
                    self._queue(name, trial.params, begun.get("kind", "tuned"), retries + 1)
        return count

    def ended(self) -> list[Ended]:
        """Return the trials that ended in earlier processes, oldest first; what died with its search has failed."""
        known = [
            (name.split()[0], trial)
            for name, study in self._studies.items()
            for trial in study.get_trials(deepcopy=False)
        ]
        found = [_restore(trial.user_attrs["ended"]) for _, trial in known if "ended" in trial.user_attrs]
        found += [_lost(family, _begun(trial)) for family, trial in known if _is_lost(trial)]
        return sorted(found, key=lambda one: one.trial.number)

    def waiting(self) -> dict[str, Kind]:
        """Return the families that have a trial queued, and its kind."""
        queued: dict[str, Kind] = {}
        for name, study in self._studies.items():
            for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                queued.setdefault(name.split()[0], trial.user_attrs.get("kind", "tuned"))
        return queued

    def again(self, draft: Draft) -> bool:
        """Queue a configuration whose process died; return whether it may be tried again."""
        if draft.retries >= MOST_RETRIES:
            return False
        self._queue(_name(draft.family, draft.kind), self._asked[draft.number], draft.kind, draft.retries + 1)
        return True

    def ask(self, family: str, kind: Kind, given: dict[str, Value], space: SearchSpace) -> Draft:
        """Return the next configuration of a family: what is given, what was queued, or what its sampler proposes.

        A tuned one takes from `given` what its space does not vary; one of another kind is `given`.
        """
        distributions = {key: _distribution(dimension) for key, dimension in space.items()}
        name = self._named(family, kind, distributions)
        study = self._study(name)
        queued = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if kind != "tuned" and not queued:
            self._queue(name, _nearest(given, space), kind, 0)
        if kind == "tuned" and not queued and self._sampler == "grid":
            self._queue(name, self._next_point(study, space), kind, 0)
        trial = study.ask(distributions)
        parameters = {**given, **trial.params}
        if kind != "tuned":
            parameters |= given
        draft = Draft(self._next, family, kind, parameters, int(trial.user_attrs.get("retries", 0)))
        self._next += 1
        trial.set_user_attr("begun", {"number": draft.number, "kind": kind, "parameters": parameters, "owner": owner()})
        self._open[draft.number] = (name, trial)
        self._asked[draft.number] = trial.params  # a default may lie outside of what is varied, which these do not
        return draft

    def tell(self, ended: Ended) -> None:
        """Keep what came of a trial; once this returns, no kill loses it."""
        name, trial = self._open.pop(ended.trial.number)
        trial.set_user_attr("ended", asdict(ended))
        for place, score in enumerate(ended.trial.fold_scores):
            if ended.trial.state == "pruned":
                trial.report(score, place)
        if (
            ended.excess
        ):  # within the limits it is 0 or less, and over them TPE prefers the neighbours of what keeps them
            trial.set_constraint("limits", ended.excess)
        self._settle(self._studies[name], trial, ended)

    @staticmethod
    def _settle(study: optuna.Study, trial: optuna.trial.Trial | int, ended: Ended) -> None:
        states = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        state = states.get(ended.trial.state, TrialState.FAIL)
        study.tell(trial, ended.trial.score if state == TrialState.COMPLETE else None, state=state)

    def _named(self, family: str, kind: Kind, distributions: dict[str, BaseDistribution]) -> str:
        """Return the name of a family's study; one whose choices were edited since has another: no study mixes both."""
        name = _name(family, kind)
        for trial in self._study(name).get_trials(deepcopy=False):
            common = distributions.keys() & trial.distributions.keys()
            if any(_clash(trial.distributions[key], distributions[key]) for key in common):
                digest = hashlib.sha256(repr(sorted(distributions.items())).encode()).hexdigest()[:8]
                return f"{name} {digest}"
        return name

    def _next_point(self, study: optuna.Study, space: SearchSpace) -> dict[str, Value]:
        """Return the next point of the grid; after the last the first again, which the schedule does not ask for."""
        points: list[dict[str, Value]] = grid(space, self._seed)
        tuned = sum(bool(_begun(trial).get("kind") == "tuned") for trial in study.get_trials(deepcopy=False))
        return points[tuned % len(points)]

    def _queue(self, name: str, parameters: dict[str, Any], kind: Kind, retries: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study(name).enqueue_trial(parameters, user_attrs={"kind": kind, "retries": retries})

    def _study(self, name: str) -> optuna.Study:
        if name not in self._studies:
            sampler = _make_sampler(self._sampler, self._seed)
            self._studies[name] = optuna.create_study(
                storage=self._storage, study_name=name, direction="maximize", sampler=sampler, load_if_exists=True
            )
        return self._studies[name]


def _make_sampler(name: Sampler, seed: int) -> optuna.samplers.BaseSampler:
    """Return what proposes configurations; the points of a grid are queued, so that no sampler is asked."""
    if name != "tpe":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS)


def _name(family: str, kind: Kind) -> str:
    """Return the name of a family's study; scores on capped rows teach its sampler nothing, so they stay apart."""
    return f"{family} partial" if kind == "partial" else family


def _distribution(dimension: Real | Whole | Choice) -> BaseDistribution:
    if isinstance(dimension, Real):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    if isinstance(dimension, Whole):
        return IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return CategoricalDistribution(dimension.values)


def _clash(old: BaseDistribution, new: BaseDistribution) -> bool:
    """Return whether one study cannot hold both: ranges may move, kinds and choices may not."""
    return old != new and (type(old) is not type(new) or isinstance(new, CategoricalDistribution))


def _nearest(default: dict[str, Value], space: SearchSpace) -> dict[str, Value]:
    """Return the values of a space that are nearest to a default, which may lie outside of what is varied."""
    near: dict[str, Value] = {}
    for name, dimension in space.items():
        value = default.get(name)
        if isinstance(dimension, Choice):
            if name in default and value in dimension.values:
                near[name] = value
        elif isinstance(value, int | float):
            bounded = min(max(value, dimension.low), dimension.high)
            near[name] = round(bounded) if isinstance(dimension, Whole) else float(bounded)
        else:  # chosen by the fit itself: the sampler is told of the middle, not of a draw that was never tried
            middle = (
                math.sqrt(dimension.low * dimension.high) if dimension.log else (dimension.low + dimension.high) / 2
            )
            near[name] = round(middle) if isinstance(dimension, Whole) else middle
    return near


def _begun(trial: FrozenTrial) -> dict[str, Any]:
    begun: dict[str, Any] = trial.user_attrs.get("begun", {})
    return begun


def _is_lost(trial: FrozenTrial) -> bool:
    """Return whether a trial was begun by a process that is dead, which kept nothing of it."""
    begun = _begun(trial)
    open_or_failed = trial.state in {TrialState.RUNNING, TrialState.FAIL}
    return bool(begun) and open_or_failed and "ended" not in trial.user_attrs and not lives(*begun["owner"])


def _lost(family: str, begun: dict[str, Any]) -> Ended:
    trial = Trial(
        number=begun["number"],
        family=family,
        parameters=begun["parameters"],
        state="failed",
        score=None,
        fold_scores=(),
        seconds=0.0,
        slot=None,
        reason="the process of its search was killed; it is tried again, at most twice",
        mark="process died",
    )
    return Ended(trial, begun["kind"])


def _restore(kept: dict[str, Any]) -> Ended:
    trial = dict(kept["trial"])
    trial |= {name: tuple(trial[name]) for name in ("fold_scores", "over")}
    trial["footprint"] = _footprint(trial["footprint"])
    return Ended(
        **{
            **kept,
            "trial": Trial(**trial),
            "fold_seconds": tuple(kept["fold_seconds"]),
            "bag": _footprint(kept["bag"]),
        }
    )


def _footprint(kept: dict[str, Any] | None) -> Footprint | None:
    return None if kept is None else Footprint(**kept)


def _mend(path: Path) -> None:
    """Undo what a kill in the middle of a write leaves: half a line, and a lock that nobody holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{path.name}.lock*"):
        left.unlink(missing_ok=True)
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with path.open("r+b") as file:
                file.truncate(whole)
