"""What a search begins with: its slots' processes, what all its trials have in common, and its schedule."""

from penstock.domain.features import Flavour
from penstock.domain.search import Slot
from penstock.models._base import ModelFamily
from penstock.search import placement
from penstock.search.encoding import Encoding
from penstock.search.machine.memory import Memory
from penstock.search.machine.messages import Setting
from penstock.search.machine.slots import Crew
from penstock.search.model.limits import Limits
from penstock.search.order.plans import BASELINE, Shape
from penstock.search.order.rounds import Rounds
from penstock.search.order.schedule import Schedule
from penstock.search.phases.choosing import choosing_seconds
from penstock.search.phases.refit import estimator_path
from penstock.search.trial_records import Ended
from penstock.search.wishes.grids import grid_sizes
from penstock.search.work import Work

COMPILED = ("lightgbm", "torch")  # never in one process
ROOM_FOR_TWO_MB = 1500  # a slot with less memory holds one library's process at a time


def start_slots(crew: Crew, work: Work) -> None:
    """Start one process a slot, in turn of the compiled libraries, so that each is at hand somewhere."""
    wanted = {family.library for family in work.families.values()}
    compiled = [library for library in COMPILED if library in wanted] or ["sklearn"]
    for slot in work.slots:
        first = slot.number % len(compiled) if slot.gpu is None else -1
        crew.start(slot, compiled[first])
    if len(work.slots) == 1 and work.slots[0].memory_mb >= ROOM_FOR_TWO_MB:
        for library in compiled[1:]:
            crew.start(work.slots[0], library)


def setting_of(work: Work, encoding: Encoding) -> Setting:
    """Return what all trials of a search have in common, once its first rows are encoded."""
    settings = work.settings
    return Setting(
        folds=encoding.encoded,
        metric=settings.metric,
        seed=settings.seed,
        costs=work.costs,
        categorical=encoding.categorical,
        monotone=encoding.monotone,
        limits=settings.limits,
        own=settings.own,
    )


def schedule_of(work: Work, setting: Setting, earlier: list[Ended], memory: Memory) -> Schedule:
    """Return the schedule of a search, with the families left out that do not fit it or that no slot can take, and why.

    Parameters
    ----------
    work, setting
        The search's.
    earlier
        Trials that an earlier process of the search ended; the schedule adds to a list of its own.
    memory
        What trials are predicted to take.
    """
    rows, settings, features = work.rows, work.settings, dict(setting.folds.features)
    fold_rows = tuple(int(rows.training(fold).sum()) for fold in range(rows.folds))
    shape = Shape(fold_rows, int(rows.target.shape[0]), features, rows.classes)
    left_out = _left_out(work, features)
    suited = {name: one for name, one in work.families.items() if name not in left_out}
    sizes = {name: (rows.problem, shape.rows, features[one.flavour]) for name, one in suited.items()}
    spaces = {name: one.space(*sizes[name]) for name, one in suited.items()}
    schedule = (Rounds if settings.deterministic else Schedule)(
        families=work.families,
        shape=shape,
        budget=settings.budget,
        slots=len(work.slots),
        skips=left_out,
        defaults={name: one.default(*sizes[name]) for name, one in suited.items()},
        spaces=spaces,
        portfolios={name: one.portfolio(*sizes[name]) for name, one in suited.items()},
        ended=list(earlier),
        bagging=not rows.time_ordered,
        limits=Limits(settings.limits),
        points=grid_sizes(settings, spaces),
        closing=choosing_seconds(work),
        memory=memory,
    )
    for name, family in suited.items():
        reason = family.refusal(*sizes[name]) or _no_slot_takes(family, schedule.memory_mb(name), work.slots)
        if reason is not None:
            schedule.skips[name] = reason
    schedule.fitted |= {one.trial.number for one in schedule.ended if estimator_path(work.folder, one).exists()}
    return schedule


def _left_out(work: Work, features: dict[Flavour, int]) -> dict[str, str]:
    """Return why some families are asked for nothing: another problem, which one may not bear, or no feature.

    The baseline looks at no feature.
    """
    problem, found = work.rows.problem, {}
    for name, family in work.families.items():
        if problem not in family.problems:
            found[name] = f"it is made for {', '.join(sorted(family.problems))}, and the problem is {problem}"
        elif name != BASELINE and not features[family.flavour]:
            found[name] = "the columns give it no feature: none of their levels or words is frequent enough"
    return found


def _no_slot_takes(family: ModelFamily, memory_mb: float, slots: tuple[Slot, ...]) -> str | None:
    """Return why no slot takes a family, as the first says it; None if one does."""
    reasons = [placement.refusal(memory_mb, family.library, slot) for slot in slots]
    return str(reasons[0]) if all(reasons) else None
