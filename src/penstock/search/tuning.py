"""One study in a journal file: what to try next, what came of it, and what a dead process left behind."""

import hashlib
import logging
import warnings
from dataclasses import asdict
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

from penstock.domain.search import Choice, Real, SearchSpace, Value, Whole
from penstock.search.machine.slots import lives, owner
from penstock.search.trial_records import MOST_RETRIES, Draft, Ended, Kind, lost, restore
from penstock.search.wishes.grids import grid
from penstock.search.wishes.spaces import holds, nearest

RANDOM_TRIALS = 6  # of a family, before its sampler models what it has seen

Sampler = Literal["tpe", "random", "grid"]


class Study:
    """The trials of one search, a sampler for each family, in one journal file.

    Journal storage has no heartbeat: a trial whose owner (process id and start time) is dead is failed. What died is
    tried again when it is asked for, at most twice. Optuna's own queue, which it empties in order, holds nothing but
    what is asked for at the moment.
    """

    def __init__(self, path: Path, seed: int, sampler: Sampler = "tpe") -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        logging.getLogger("optuna").propagate = False
        _mend(path)
        self._storage = JournalStorage(JournalFileBackend(str(path)))
        self._seed, self._sampler = seed, sampler
        self._studies: dict[str, optuna.Study] = {}
        self._open: dict[int, tuple[str, optuna.trial.Trial]] = {}
        names = [study.study_name for study in self._storage.get_all_studies()]
        found = [_begun(trial) for name in names for trial in self._study(name).get_trials(deepcopy=False)]
        self._retries: dict[int, int] = {begun["number"]: begun.get("retries", 0) for begun in found if begun}
        self._next = 1 + max(self._retries, default=0)

    def reap(self) -> int:
        """Fail the trials whose owner is dead; return how many there were."""
        count = 0
        for study in self._studies.values():
            for _ in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                study.tell(study.ask(), state=TrialState.FAIL)  # queued, and killed before it was taken
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                begun = _begun(trial)
                if begun and lives(*begun["owner"]):
                    continue
                if "ended" in trial.user_attrs:  # killed between keeping what came of it and saying so
                    self._settle(study, trial.number, restore(trial.user_attrs["ended"]))
                    continue
                study.tell(trial.number, state=TrialState.FAIL)
                count += 1
        return count

    def ended(self) -> list[Ended]:
        """Return the trials that ended in earlier processes, oldest first; what died with its search has failed."""
        known = [
            (name.split()[0], trial)
            for name, study in self._studies.items()
            for trial in study.get_trials(deepcopy=False)
        ]
        found = [restore(trial.user_attrs["ended"]) for _, trial in known if "ended" in trial.user_attrs]
        found += [lost(family, _begun(trial)) for family, trial in known if _is_lost(trial)]
        return sorted(found, key=lambda one: one.trial.number)

    def gives_up(self, failed: Ended) -> bool:
        """Return whether a trial of an earlier process that failed would fail again, or its process died too often."""
        if failed.trial.mark == "process died":
            return self._retries.get(failed.trial.number, 0) >= MOST_RETRIES
        return failed.trial.mark != "over deadline"

    def ask(self, family: str, kind: Kind, given: dict[str, Value], space: SearchSpace) -> Draft:
        """Return the next configuration of a family: what is given, what died, or what its sampler proposes.

        A tuned one takes from `given` what its space does not vary; one of another kind is `given`, for the next time
        where it died.
        """
        distributions = {key: _distribution(dimension) for key, dimension in space.items()}
        name = self._named(family, kind, distributions)
        study = self._study(name)
        dead = next((one for one in _dead(study) if _is_asked(one, kind, given, space)), None)
        if dead is not None:
            _queue(study, dead.params)
        elif kind != "tuned":
            _queue(study, _nearest(given, space))
        elif self._sampler == "grid":
            _queue(study, self._next_point(study, space))
        trial = study.ask(distributions)
        parameters = {**given, **trial.params, **(given if kind != "tuned" else {})}
        draft = Draft(self._next, family, kind, parameters, 0 if dead is None else 1 + _retries(dead))
        self._begin(draft, name, trial, None if dead is None else _begun(dead)["number"])
        return draft

    def _begin(self, draft: Draft, name: str, trial: optuna.trial.Trial, again: int | None) -> None:
        """Write down who begins a trial, and the number of the dead one that it tries again."""
        told = {"number": draft.number, "kind": draft.kind, "parameters": draft.parameters, "retries": draft.retries}
        trial.set_user_attr("begun", {**told, "owner": owner(), "again": again})
        self._next += 1
        self._retries[draft.number] = draft.retries
        self._open[draft.number] = (name, trial)

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
        begun = [_begun(trial) for trial in study.get_trials(deepcopy=False)]
        tuned = sum(bool(one.get("kind") == "tuned" and one.get("again") is None) for one in begun)
        return points[tuned % len(points)]

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
    """Return whether one study cannot hold both: ranges may move, but not become logarithmic; choices may not."""
    kinds = [(type(one), getattr(one, "log", False)) for one in (old, new)]
    return old != new and (kinds[0] != kinds[1] or isinstance(new, CategoricalDistribution))


def _nearest(default: dict[str, Value], space: SearchSpace) -> dict[str, Value]:
    """Return the values of a space that are nearest to a default, which may lie outside of what is varied."""
    near: dict[str, Value] = {}
    for name, dimension in space.items():
        value = default.get(name)
        if not isinstance(dimension, Choice):  # where the fit chooses, the sampler is told of the middle, not of a draw
            near[name] = nearest(value, dimension)
        elif name in default and value in dimension.values:
            near[name] = value
    return near


def _queue(study: optuna.Study, parameters: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.enqueue_trial(parameters)


def _begun(trial: FrozenTrial) -> dict[str, Any]:
    begun: dict[str, Any] = trial.user_attrs.get("begun", {})
    return begun


def _retries(trial: FrozenTrial) -> int:
    return int(_begun(trial).get("retries", 0))


def _dead(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials whose process died and that may be tried again, and were not yet; oldest first."""
    trials = study.get_trials(deepcopy=False)
    followed = {_begun(one).get("again") for one in trials}
    return [
        one for one in trials if _died(one) and _retries(one) < MOST_RETRIES and _begun(one)["number"] not in followed
    ]


def _died(trial: FrozenTrial) -> bool:
    """Return whether a trial failed with its process: the slot's, or the search's, which could keep nothing of it."""
    if trial.state != TrialState.FAIL or not _begun(trial):
        return False
    ended = trial.user_attrs.get("ended")
    return ended is None or str(ended["trial"]["mark"]) == "process died"


def _is_asked(dead: FrozenTrial, kind: Kind, given: dict[str, Value], space: SearchSpace) -> bool:
    """Return whether a dead trial is what is asked for: for a tuned one, any within a space that may have been edited.

    A study may hold trials of other kinds, which are asked for in their own turn.
    """
    begun = _begun(dead)
    if kind == "tuned":
        varied = [name for name in space if name in dead.params]
        return bool(begun["kind"] == kind) and all(holds(space[name], dead.params[name]) for name in varied)
    return given.items() <= dict(begun["parameters"]).items()


def _is_lost(trial: FrozenTrial) -> bool:
    """Return whether a trial was begun by a process that is dead, which kept nothing of it."""
    begun = _begun(trial)
    open_or_failed = trial.state in {TrialState.RUNNING, TrialState.FAIL}
    return bool(begun) and open_or_failed and "ended" not in trial.user_attrs and not lives(*begun["owner"])


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
