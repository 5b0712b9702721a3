"""A search as both its callers begin it, the train flow and the estimators: the same slots for the same wishes."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from penstock.domain.search import Experience, SearchSettings
from penstock.models._base import ModelFamily
from penstock.search import placement
from penstock.search.encoding import TrainingRows
from penstock.search.order.portfolios import portfolio_of
from penstock.search.wishes.spaces import with_portfolio
from penstock.search.work import Work


@dataclass(frozen=True, slots=True)
class Given:
    """What a search is given beside rows, families and settings.

    `costs` of shape (n_classes, n_classes): what a row of class i called j costs; `experience` is what was measured on
    this machine before; `visible_gpus` what `CUDA_VISIBLE_DEVICES` says; `most_slots` bounds the trials at once;
    `alone` says that this process does nothing else, so that what it holds counts against the memory of the budget.
    """

    costs: NDArray[Any] | None = None
    experience: Experience = field(default_factory=Experience)
    visible_gpus: str | None = None
    most_slots: int | None = None
    alone: bool = True


def arrange(
    rows: TrainingRows, families: dict[str, ModelFamily], settings: SearchSettings, folder: Path, given: Given
) -> Work:
    """Return what `campaign.run` searches.

    Parameters
    ----------
    rows
        Decoded training rows with their folds.
    families
        By name, the baseline among them.
    settings
        Where they are deterministic, no GPU is used and nothing that was measured before counts.
    folder
        Of the study; what a killed process left there is gone on with.
    given
        What else there is.
    """
    slots = placement.slots_for(rows, settings.budget, given.visible_gpus, alone=given.alone)[: given.most_slots]
    costs = () if given.costs is None else tuple(tuple(float(cost) for cost in row) for row in given.costs)
    return Work(
        rows=rows,
        families={name: with_portfolio(family, portfolio_of(name, rows)) for name, family in families.items()},
        settings=settings,
        folder=folder,
        slots=tuple(replace(slot, gpu=None) for slot in slots) if settings.deterministic else slots,
        experience=Experience() if settings.deterministic else given.experience,
        costs=costs,
    )
