"""Sums and differences of columns that give the target."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.readers import LARGEST

MOST_TERMS = 8
SAMPLE = 5000
EXACT = 1e-6  # of the target's spread: a larger rest is no equation
HOLDS = 0.8  # share of rows in which an equation must hold; the others are faults of the data
ROUND = 0.02  # how near to a simple factor a fitted one must be to count as it
SIMPLE = np.array([-2, -1, -0.5, 0.5, 1, 2], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Equation:
    """The target as factors times columns plus a constant, and the share of rows in which it holds."""

    terms: tuple[tuple[str, float], ...]
    constant: float
    holds: float

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns on the right-hand side."""
        return tuple(name for name, _ in self.terms)

    def said(self, target: str) -> str:
        """Return the equation as people write it."""
        parts = [_term(name, factor, first=place == 0) for place, (name, factor) in enumerate(self.terms)]
        tail = "" if self.constant == 0 else f" {'+' if self.constant > 0 else '-'} {abs(self.constant):.6g}"
        return f"{target} = {''.join(parts)}{tail}"


def find_equation(frame: pd.DataFrame, target: NDArray[np.float64]) -> Equation | None:
    """Return the sum or difference of a few columns that gives the target, if there is one.

    Columns are taken one at a time, each time the one that explains most of the rest (orthogonal matching pursuit;
    Pati et al. 1993); factors near a simple number are set to it.

    Parameters
    ----------
    frame
        Number columns without the target, shape (n_rows, n_columns).
    target
        Shape (n_rows,).
    """
    target = np.clip(target, -LARGEST, LARGEST)
    varied = [str(name) for name in frame if frame[name].nunique(dropna=True) > 1]
    if not varied or float(np.nanstd(target)) == 0:
        return None
    step = max(1, len(frame) // SAMPLE)
    columns = frame[varied].clip(-LARGEST, LARGEST)
    sample = columns.iloc[::step].to_numpy(np.float64)
    wanted = target[::step]
    # a missing part of a sum is mostly nothing: fees that were not charged
    chosen = _pursue(np.nan_to_num(sample), wanted)
    if chosen is None:
        return None
    names = [varied[place] for place in chosen]
    return _exact(columns[names].fillna(0.0).to_numpy(np.float64), target, names)


def _pursue(columns: NDArray[np.float64], wanted: NDArray[np.float64]) -> list[int] | None:
    """Return the columns that together leave nothing of the target for nearly all rows."""
    spread = columns.std(axis=0)
    scaled = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1)
    aim = wanted - wanted.mean()
    rest, chosen = aim.copy(), list[int]()
    for _ in range(min(MOST_TERMS, columns.shape[1])):
        strength = np.abs(scaled.T @ rest)
        strength[chosen] = -1
        chosen.append(int(strength.argmax()))
        factors, *_ = np.linalg.lstsq(scaled[:, chosen], aim, rcond=None)
        rest = aim - scaled[:, chosen] @ factors
        if float(np.quantile(np.abs(rest - np.median(rest)), HOLDS)) <= ROUND * float(aim.std()):
            return chosen
    return None


def _exact(columns: NDArray[np.float64], target: NDArray[np.float64], names: list[str]) -> Equation | None:
    """Round the factors to simple numbers where they are near one, and see in how many rows the equation holds."""
    fitted, *_ = np.linalg.lstsq(np.c_[columns, np.ones(len(columns))], target, rcond=None)
    near = SIMPLE[np.abs(fitted[:-1, None] - SIMPLE).argmin(axis=1)]
    simple = np.abs(near - fitted[:-1]) <= ROUND * 5
    for factors in (np.where(simple, near, fitted[:-1]), fitted[:-1]):
        rest = target - columns @ factors
        constant = float(np.median(rest))
        allowed = max(EXACT * float(target.std()), 1e-9 * float(np.abs(target).max()))
        holds = float((np.abs(rest - constant) <= allowed).mean())
        kept = [(name, float(factor)) for name, factor in zip(names, factors, strict=True) if factor]
        if holds >= HOLDS and kept:
            return Equation(tuple(kept), 0.0 if abs(constant) <= allowed else constant, holds)
    return None


def _term(name: str, factor: float, *, first: bool) -> str:
    sign = ("-" if factor < 0 else "") if first else (" - " if factor < 0 else " + ")
    size = "" if abs(factor) == 1 else f"{abs(factor):.6g} x "
    return f"{sign}{size}{name}"
