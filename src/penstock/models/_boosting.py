"""LightGBM's callback that keeps time, and its model text as tables of nodes."""

import re
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.models._trees import Tree, grid_step

PATIENCE = 3.0  # rounds without gain before the end, as a share of one over the rate: 60 at a rate of 0.05
LEARNT = 14.0  # rounds times rate at which most fits are done; the rate is raised if fewer rounds fit in the time
FASTEST = 0.3  # rate above which trees undo each other
FIRST_LOOK = 8  # rounds timed before the rate is judged
DEFAULT_LEFT, MISSING_IS_NAN = 2, 2

_LEAVES = re.compile(r"^leaf_value=(.*)$", re.MULTILINE)
_COUNTS = re.compile(r"^num_leaves=(\d+)$", re.MULTILINE)
_SIZES = re.compile(r"^tree_sizes=.*\n", re.MULTILINE)  # of the trees' text in bytes; LightGBM reads on without them


class Pace:
    """Stops at the deadline or when the inner split no longer gains; raises the rate where time is short."""

    order = 20
    before_iteration = False

    def __init__(self, deadline: float | None, rate: float, rounds: int) -> None:
        self.deadline = deadline
        self.rate = rate
        self.rounds = rounds
        self.best = 0
        self.lowest = np.inf
        self.began = 0.0

    def __call__(self, env: Any) -> None:
        """Look at the clock and at the inner split after a round."""
        from lightgbm.callback import EarlyStopException

        if env.evaluation_result_list:
            loss = float(env.evaluation_result_list[0][2])
            if loss < self.lowest:
                self.lowest, self.best = loss, env.iteration
            if env.iteration - self.best >= PATIENCE / self.rate:
                raise EarlyStopException(self.best, env.evaluation_result_list)
        if self.deadline is not None:
            self._keep(env, EarlyStopException)

    def _keep(self, env: Any, stop: type[Exception]) -> None:
        now = time.monotonic()
        done = env.iteration + 1
        remaining = float(self.deadline or now) - now
        if done == 1:
            self.began = now  # the first round also cuts the features into bins
        each = (now - self.began) / max(1, done - 1)
        if remaining < each:
            raise stop(self.best if env.evaluation_result_list else env.iteration, env.evaluation_result_list)
        if done == FIRST_LOOK:
            wanted = faster(self.rate, self.rounds - done, remaining / each)
            if wanted > self.rate:
                self.rate = wanted
                env.model.reset_parameter({"learning_rate": wanted})


def faster(rate: float, rounds: float, affordable: float) -> float:
    """Return the rate at which the rounds that there is time, or room, for do what was wanted of more of them."""
    needed = min(rounds, LEARNT / rate)
    return rate if affordable >= needed else max(rate, min(FASTEST, rate * needed / max(affordable, 1.0)))


def on_grid(text: str) -> str:
    """Return a LightGBM model text whose leaves lie on a grid, so that float32 sums of them are exact."""
    head, *blocks = text.split("\nTree=")
    largest = [np.abs(_numbers(_line(block, "leaf_value"), np.float64)).max() for block in blocks]
    step = grid_step(np.array(largest))
    rounded = [_LEAVES.sub(lambda found: _rounded(found.group(1), step), block) for block in blocks]
    return "\nTree=".join([_SIZES.sub("", head), *rounded])


def count_nodes(text: str) -> int:
    """Return the number of splits and leaves of a LightGBM model text."""
    return sum(2 * int(leaves) - 1 for leaves in _COUNTS.findall(text))


def read_trees(text: str, columns: int = 1) -> list[Tree]:
    """Return the trees of a LightGBM model text; tree i adds to column i modulo `columns`."""
    trees = []
    for number, block in enumerate(text.split("\nTree=")[1:]):
        lines = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
        trees.append(_tree(lines, number % columns, columns))
    return trees


def _line(block: str, name: str) -> str:
    return block.split(f"\n{name}=", 1)[1].split("\n", 1)[0]


def _rounded(leaves: str, step: float) -> str:
    values = np.round(_numbers(leaves, np.float64) / step) * step
    return "leaf_value=" + " ".join(map(repr, values.tolist()))


def _tree(lines: dict[str, str], column: int, columns: int) -> Tree:
    leaves = _numbers(lines["leaf_value"], np.float64)
    if int(lines["num_leaves"]) == 1:
        return _stump(leaves[:1], column, columns)
    kinds = _numbers(lines["decision_type"], np.int64)
    threshold = _numbers(lines["threshold"], np.float64)
    inner = len(kinds)
    none = np.full(len(leaves), -1, np.int64)
    to_left, to_right = (_places(lines[side], inner) for side in ("left_child", "right_child"))
    values = np.zeros((inner + len(leaves), columns))
    values[inner:, column] = leaves
    is_nan = (kinds >> 2) & 3 == MISSING_IS_NAN
    missing = np.where(is_nan, kinds & DEFAULT_LEFT != 0, threshold >= 0)  # LightGBM reads other gaps as 0
    return Tree(
        np.concatenate([_numbers(lines["split_feature"], np.int64), none]),
        np.concatenate([threshold, np.zeros(len(leaves))]),
        np.concatenate([to_left, none]),
        np.concatenate([to_right, none]),
        np.concatenate([missing, np.zeros(len(leaves), bool)]),
        values,
    )


def _stump(value: NDArray[np.float64], column: int, columns: int) -> Tree:
    values = np.zeros((1, columns))
    values[0, column] = value[0]
    none = np.full(1, -1, np.int64)
    return Tree(none, np.zeros(1), none, none, np.zeros(1, bool), values)


def _places(text: str, inner: int) -> NDArray[np.int64]:
    """Return children's places: inner nodes first, then leaves, which LightGBM writes as -1, -2, ..."""
    children = _numbers(text, np.int64)
    return np.where(children < 0, inner + ~children, children)


def _numbers(text: str, kind: Any) -> NDArray[Any]:
    return np.array(text.split(), kind)
