"""What a person fixed or narrowed of a family's space, and what did best in the project's former searches."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.domain.datasets import Problem
from penstock.domain.search import Choice, Real, SearchSpace, Trial, Value, Whole
from penstock.errors import SpecError
from penstock.models._base import BuildContext, ModelFamily, Needs

RANGE = 2  # the ends of one
ENDS = "the two ends of a range, or those to choose from"
MANY_ROWS = 10_000  # more than any table had that `near` comes from: a family's own word for them goes first
SOME_ROWS, SOME_FEATURES = 10_000, 20  # a table that spaces are looked at for: their names do not depend on it

Said = dict[str, Any]  # by parameter: a value that fixes it, [low, high], or the values to choose from


@dataclass(slots=True, eq=False)
class Shaped(ModelFamily):
    """A family with a person's say on its parameters; its portfolio begins with what did best before.

    `said` is checked by `check`. `former` are configurations of former searches, the best first; `near` those that
    helped on tables like this one, in place of the family's own (None: these).
    """

    inner: ModelFamily
    said: Said = field(default_factory=dict)
    former: tuple[dict[str, Value], ...] = ()
    near: tuple[dict[str, Value], ...] | None = None

    def __post_init__(self) -> None:
        """Describe itself as the family that it shapes."""
        for name in ("name", "problems", "flavour", "library", "bags", "stops_early", "brief"):
            setattr(self, name, getattr(self.inner, name))

    def __getattr__(self, name: str) -> Any:
        """Return what only the family itself says."""
        if name.startswith("__") or name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return the default, moved into what was said."""
        return self._within(self.inner.default(problem, rows, features), self.space(problem, rows, features))

    def portfolio(self, problem: Problem, rows: int, features: int) -> tuple[dict[str, Value], ...]:
        """Return former configurations, then those known to be good; what was said makes some of them alike."""
        default, space = self.default(problem, rows, features), self.space(problem, rows, features)
        seen, kept = [default], []
        own = self.inner.portfolio(problem, rows, features)
        good = own if self.near is None else (*own[: rows >= MANY_ROWS], *self.near)
        for one in (*self.former, *good):
            moved = self._within({**default, **{name: one[name] for name in one if name in default}}, space)
            if moved not in seen:
                seen.append(moved)
                kept.append(moved)
        return tuple(kept)

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return the family's space, narrowed, without what is fixed."""
        space = self.inner.space(problem, rows, features)
        return {name: narrowed(one, self.said.get(name)) for name, one in space.items() if not self._fixes(name)}

    def refusal(self, problem: Problem, rows: int, features: int) -> str | None:
        """Return why the family is not tried, None where it is."""
        return self.inner.refusal(problem, rows, features)

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return what the family says."""
        return self.inner.needs(rows, features, classes)

    def build(self, parameters: dict[str, Value], context: BuildContext) -> Any:
        """Return the family's estimator."""
        return self.inner.build(parameters, context)

    def in_bag(self, estimator: Any, place: int, parts: int) -> Any:
        """Return what the family keeps in a bag."""
        return self.inner.in_bag(estimator, place, parts)

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return the family's graph."""
        return self.inner.to_onnx(estimator, features)

    def _fixes(self, name: str) -> bool:
        return name in self.said and not isinstance(self.said[name], list)

    def _within(self, parameters: dict[str, Value], space: SearchSpace) -> dict[str, Value]:
        fixed = {name: value for name, value in self.said.items() if self._fixes(name)}
        moved = {name: nearest(parameters.get(name), space[name]) for name in space if name in self.said}
        return {**parameters, **moved, **fixed}


def with_portfolio(family: ModelFamily, near: tuple[dict[str, Value], ...] | None) -> ModelFamily:
    """Return a family that tries some configurations after its default (None: its own)."""
    if near is None:
        return family
    return replace(family, near=near) if isinstance(family, Shaped) else Shaped(family, near=near)


def still_asked(trial: Trial, families: dict[str, ModelFamily], problem: Problem) -> bool:
    """Return whether a trial of an earlier process is what a project file, edited since, still asks for."""
    family = families.get(trial.family)
    if family is None or problem not in family.problems:
        return False
    said: Said = getattr(family, "said", {})  # that of a shaped family, or of the user's own
    space = family.space(problem, SOME_ROWS, SOME_FEATURES) if said else {}
    found = {name: trial.parameters.get(name) for name in said}
    return all(holds(space[name], found[name]) if name in space else said[name] == found[name] for name in said)


def holds(dimension: Real | Whole | Choice, value: Value) -> bool:
    """Return whether a value lies within a dimension."""
    if isinstance(dimension, Choice):
        return value in dimension.values
    return isinstance(value, int | float) and dimension.low <= value <= dimension.high


def check(family: str, said: Said, space: SearchSpace, default: dict[str, Value]) -> list[str]:
    """Return what is wrong with a person's say on a family's space; empty where nothing is."""
    faults = []
    for name, values in said.items():
        known = sorted({*space, *default})
        if name not in known:
            faults.append(
                f"`families.spaces.{family}` must name parameters among {', '.join(known)}, but has {name!r}."
            )
        elif isinstance(values, list) and name not in space:
            faults.append(f"`families.spaces.{family}.{name}` must be one value: no search varies it.")
        elif why := _misfit(space[name], values) if isinstance(values, list) else _unfit(name, values, space, default):
            faults.append(f"`families.spaces.{family}.{name}` must {why}, but is {values!r}.")
    return faults


def raise_faults(faults: list[str]) -> None:
    """Raise every fault at once, if there is any.

    Raises
    ------
    SpecError
        With all of them.
    """
    if faults:
        raise SpecError("\n".join(["The spaces of the project file must fit the families, but:", *faults]), faults)


def narrowed(dimension: Real | Whole | Choice, values: Any) -> Real | Whole | Choice:
    """Return a dimension with other ends, or fewer values; a person may also go beyond the family's own."""
    if not isinstance(values, list):
        return dimension
    if isinstance(dimension, Choice) or len(values) != RANGE:
        return Choice(tuple(values))
    low, high = values  # a logarithmic range begins above 0, of whole numbers at 1
    if isinstance(dimension, Whole):
        return Whole(int(low), int(high), dimension.log and low >= 1)
    return Real(float(low), float(high), dimension.log and low > 0)


def dimension_of(values: list[Any]) -> Real | Whole | Choice:
    """Return the dimension that a list says of an unknown parameter: two numbers are the ends of a range."""
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
    if len(values) != RANGE or not numbers:
        return Choice(tuple(values))
    if all(isinstance(one, int) for one in values):
        return Whole(values[0], values[1])
    return Real(float(values[0]), float(values[1]))


def _misfit(dimension: Real | Whole | Choice, values: list[Any]) -> str:
    if isinstance(dimension, Choice):
        unknown = [one for one in values if one not in dimension.values]
        return f"be among {list(dimension.values)}" if unknown else ""
    whole = isinstance(dimension, Whole)
    kind = "whole numbers" if whole else "numbers"
    return "" if all(_is_number(one, whole) for one in values) else f"be {kind}: {ENDS}"


def _unfit(name: str, value: Any, space: SearchSpace, default: dict[str, Value]) -> str:
    """Return what a fixed value must be, "" where it is: of its dimension's kind, however far beyond its ends."""
    known = _examples(space.get(name), default.get(name))
    if not known or any(_same(value, one) for one in (*known, *([default[name]] if name in default else []))):
        return ""
    numbers = [one for one in known if _is_number(one)]
    if not numbers:
        return f"be among {list(known)}"
    whole = all(isinstance(one, int) for one in numbers)
    return "" if _is_number(value, whole) else "be a whole number" if whole else "be a number"


def _examples(dimension: Real | Whole | Choice | None, default: Value) -> tuple[Value, ...]:
    """Return values of a parameter that show its kind; none where a text or nothing is all that is known of it."""
    if isinstance(dimension, Choice):
        return dimension.values
    if dimension is not None:
        return (dimension.low if isinstance(dimension, Whole) else float(dimension.low),)
    if isinstance(default, bool):
        return (False, True)
    return (default,) if _is_number(default) else ()


def _is_number(value: Any, whole: bool = False) -> bool:
    known = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    return known and math.isfinite(value)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def nearest(value: Value, dimension: Real | Whole | Choice) -> Value:
    """Return the value of a dimension that is nearest to another; the middle where that is no number."""
    if isinstance(dimension, Choice):
        return value if value in dimension.values else dimension.values[0]
    near = (dimension.low * dimension.high) ** 0.5 if dimension.log else (dimension.low + dimension.high) / 2
    if isinstance(value, int | float):
        near = min(max(value, dimension.low), dimension.high)
    return round(near) if isinstance(dimension, Whole) else float(near)
