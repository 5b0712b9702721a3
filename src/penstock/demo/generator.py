"""A subscription business whose true drift dates and true label errors are known.

Customers sign up day by day; three months later each is known to have churned or not. A day's customers depend on the
seed and the day alone, so that a stream can later be made from where a table ends.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

START = datetime(2025, 1, 6)  # noqa: DTZ001  canonical times are UTC without a zone; a Monday
DAYS = 364
WEEK = np.array([1.25, 1.15, 1.05, 1.0, 1.1, 0.75, 0.7])  # sign-ups from Monday to Sunday
PLANS = np.array(["basic", "standard", "premium", "enterprise"], dtype=object)
PLAN_SHARES = np.array([0.42, 0.33, 0.19, 0.06])
PLAN_FEES = np.array([9.0, 19.0, 39.0, 99.0])
DISCOUNTS = np.array([1.0, 0.9, 0.75])
DISCOUNT_SHARES = np.array([0.6, 0.25, 0.15])
REGIONS = np.array(
    ["north", "south", "east", "west", "central", "islands", "coast", "alps", "lakes", "capital"], dtype=object
)
ISLANDS = 5
CHANNELS = np.array(["web", "partner", "phone", "store", "referral"], dtype=object)
CHANNEL_SHARES = np.array([0.46, 0.2, 0.12, 0.12, 0.1])
NOTES = np.array(
    [
        "asked about the price of the next plan",
        "happy with the service so far",
        "wants to cancel because it is too expensive",
        "reported a slow connection twice this week",
        "moved house and changed the address",
        "called about a wrong invoice",
        "no contact since sign up",
        "recommended us to a friend",
    ],
    dtype=object,
)
NOTE_EFFECTS = np.array([0.1, -0.7, 1.3, 0.6, 0.1, 0.5, 0.0, -0.8])
MISSING = {"age": 0.06, "usage_hours": 0.05, "satisfaction": 0.3, "region": 0.04, "autopay": 0.05, "note": 0.1}
BASE = -3.5  # the log odds that give a share of churned customers of 12 %
SHARPNESS = 1.5

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Drift:
    """From `day` on, `column` of new customers is moved by `shift`, or (`concept`) what it means for churn is.

    A column moves in its own unit; a share for `plan` (towards premium) and `autopay`.
    """

    day: int
    column: str
    shift: float
    concept: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """What is true of the business: the seed that decides everything, the wrong labels, the dates of drift."""

    seed: int = 7
    wrong: float = 0.03
    drifts: tuple[Drift, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Generated:
    """Rows in time order, and the positions of those whose label is wrong."""

    frame: pd.DataFrame
    wrong_rows: NDArray[np.int64]


def make_table(rows: int = 10_000, seed: int = 7, *, wrong: float = 0.03, drifts: tuple[Drift, ...] = ()) -> Generated:
    """Make a table of customers in the order in which they signed up, over one year.

    Parameters
    ----------
    rows
        How many, spread over the year by the cycle of the week.
    seed
        Decides everything.
    wrong
        Share of the labels that are wrong, 0 to 0.5; which is the difference between truth and table.
    drifts
        When what changes.

    Returns
    -------
    Generated
        15 columns: `customer_id`, `signed_up`, 12 that may tell, and `churned` (yes or no).
    """
    world = World(seed, wrong, drifts)
    days = [make_day(day, count, world) for day, count in enumerate(rows_of_days(rows)) if count]
    columns = {name: np.concatenate([made[name] for made in days]) for name in days[0]}
    return Generated(frame_of(columns), np.flatnonzero(columns["wrong"]))


def rows_of_days(rows: int) -> NDArray[np.int64]:
    """Return how many of so many rows fall on each day of the year."""
    weights = np.resize(WEEK, DAYS)
    ends = np.round(np.cumsum(weights) / weights.sum() * rows).astype(np.int64)
    return np.asarray(np.diff(ends, prepend=0), dtype=np.int64)


def make_day(day: int, rows: int, world: World) -> Arrays:
    """Make the customers of one day: arrays of shape (rows,), `wrong` and `truth` among them."""
    random = np.random.default_rng([world.seed, day])
    drifts = [drift for drift in world.drifts if day >= drift.day]
    columns = _customers(random, rows, {drift.column: drift.shift for drift in drifts if not drift.concept})
    odds = _log_odds(columns, {drift.column: drift.shift for drift in drifts if drift.concept})
    churned = random.random(rows) < 1 / (1 + np.exp(-odds))
    wrong = random.random(rows) < world.wrong
    gaps = {name: random.random(rows) < share for name, share in MISSING.items()}
    seconds = np.sort(random.integers(6 * 3600, 23 * 3600, rows))
    start = np.datetime64(START + timedelta(days=day), "s")
    return {
        "customer_id": day * 100_000 + np.arange(rows),
        "signed_up": start + seconds.astype("timedelta64[s]"),
        **columns,
        "truth": churned,
        "wrong": wrong,
        **{f"no {name}": gap for name, gap in gaps.items()},
    }


def _customers(random: np.random.Generator, rows: int, shifts: dict[str, float]) -> Arrays:
    shares = PLAN_SHARES + shifts.get("plan", 0.0) * np.array([-1, 0, 1, 0])
    plan = _pick(random, rows, shares)
    fee = PLAN_FEES[plan] * DISCOUNTS[_pick(random, rows, DISCOUNT_SHARES)] + random.gamma(1.0, 1.5, rows)
    usage = random.gamma(2.0, 9.0 + 3.0 * plan) + shifts.get("usage_hours", 0.0)
    return {
        "plan": plan,
        "region": random.integers(0, len(REGIONS), rows),
        "channel": _pick(random, rows, CHANNEL_SHARES),
        "age": np.clip(random.normal(44 + shifts.get("age", 0.0), 15, rows), 18, 92).round(),
        "monthly_fee": (fee + shifts.get("monthly_fee", 0.0)).round(2),
        "usage_hours": np.maximum(0.0, usage).round(1),
        "logins": random.poisson(3 + np.minimum(usage, 60) / 4),
        "support_calls": random.poisson(0.8 + shifts.get("support_calls", 0.0), rows),
        "late_payments": random.binomial(6, 0.08, rows),
        "autopay": random.random(rows) < 0.62 + shifts.get("autopay", 0.0),
        "satisfaction": np.clip(random.normal(3.6 + shifts.get("satisfaction", 0.0), 1.0, rows), 1, 5).round(),
        "note": random.integers(0, len(NOTES), rows),
    }


def _pick(random: np.random.Generator, rows: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw places by their shares; many times faster than `Generator.choice` for few rows."""
    return np.asarray(np.searchsorted(np.cumsum(shares)[:-1], random.random(rows), side="right"), dtype=np.int64)


def _log_odds(columns: Arrays, changes: dict[str, float]) -> NDArray[np.float64]:
    """Return how likely each customer leaves; `changes` adds to what a column means."""
    terms = {
        "plan": np.array([0.35, 0.0, -0.35, -1.0])[columns["plan"]],
        "region": np.where(columns["region"] == ISLANDS, 0.6, 0.0),  # the worst connection
        "channel": np.array([0.0, 0.3, 0.5, -0.2, -0.6])[columns["channel"]],
        "age": -0.018 * (columns["age"] - 44),
        "monthly_fee": 0.012 * (columns["monthly_fee"] - 25),
        "usage_hours": -0.045 * (np.minimum(columns["usage_hours"], 60) - 22),
        "logins": -0.05 * (columns["logins"] - 8),
        "support_calls": 0.42 * (columns["support_calls"] - 0.8),
        "late_payments": 0.5 * (columns["late_payments"] - 0.5),
        "autopay": np.where(columns["autopay"], -0.35, 0.45),
        "satisfaction": -0.55 * (columns["satisfaction"] - 3.6),
        "note": NOTE_EFFECTS[columns["note"]],
    }
    changed = sum(
        (changes[name] * (terms[name] / max(1e-9, float(np.std(terms[name])))) for name in changes), start=0.0
    )
    # calls of people who hardly use what they pay for weigh double
    together = 0.4 * (columns["support_calls"] > 1) * (columns["usage_hours"] < 12)  # noqa: PLR2004
    return np.asarray(BASE + SHARPNESS * (sum(terms.values(), start=0.0) + together) + changed, dtype=np.float64)


def frame_of(columns: Arrays) -> pd.DataFrame:
    """Return the table as a company would export it."""
    label = columns["truth"] ^ columns["wrong"]
    frame = pd.DataFrame(
        {
            "customer_id": pd.Series([f"C{number:08d}" for number in columns["customer_id"]], dtype="str"),
            "signed_up": columns["signed_up"].astype("datetime64[us]"),
            "plan": pd.Series(PLANS[columns["plan"]], dtype="str"),
            "region": pd.Series(REGIONS[columns["region"]], dtype="str"),
            "channel": pd.Series(CHANNELS[columns["channel"]], dtype="str"),
            "age": columns["age"],
            "monthly_fee": columns["monthly_fee"],
            "usage_hours": columns["usage_hours"],
            "logins": columns["logins"],
            "support_calls": columns["support_calls"],
            "late_payments": columns["late_payments"],
            "autopay": columns["autopay"].astype(object),
            "satisfaction": columns["satisfaction"],
            "note": pd.Series(NOTES[columns["note"]], dtype="str"),
            "churned": pd.Series(np.where(label, "yes", "no"), dtype="str"),
        }
    )
    for name in MISSING:
        gap = columns[f"no {name}"]
        frame[name] = frame[name].mask(gap, None if name == "autopay" else np.nan)
    return frame
