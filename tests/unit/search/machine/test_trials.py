"""One configuration on folds."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock.domain.search import EncodedFolds
from penstock.models.forest import Forest
from penstock.models.linear import Linear
from penstock.search.machine.messages import FitJob, JobDone, JobFailed, Setting
from penstock.search.machine.trials import INNER_SHARE, Shelf, inner_rows
from penstock.search.order.plans import BASELINE
from penstock.search.phases.laying import fit_here


def shelf(rows: int, *, time_ordered: bool) -> Shelf:
    folds = EncodedFolds("nowhere", "regression", 0, rows, 5, time_ordered, {"tree": 1})
    groups = np.repeat(np.random.default_rng(0).integers(0, 2**63, rows // 2 + 1), 2)[:rows].astype(np.uint64)
    return Shelf(Setting(folds, "rmse", seed=7), {"group": groups})


@pytest.mark.parametrize("rows", [2, 7, 30, 1000, 40_000])
@pytest.mark.parametrize("time_ordered", [True, False])
def test_early_stopping_looks_at_some_of_a_folds_rows(rows: int, time_ordered: bool) -> None:
    inner = inner_rows(shelf(rows, time_ordered=time_ordered), np.arange(rows))
    assert inner.any()
    assert not inner.all()
    if rows >= 1000:
        assert inner.mean() == pytest.approx(INNER_SHARE, abs=0.03)


def test_with_time_order_the_newest_rows_are_fitted_on_and_every_season_is_looked_at() -> None:
    inner = inner_rows(shelf(1000, time_ordered=True), np.arange(1000))
    assert not inner[-20:].any()
    assert all(part.any() for part in np.split(inner, 10))


def test_without_time_order_rows_of_one_group_stay_together() -> None:
    inner = inner_rows(shelf(1000, time_ordered=False), np.arange(1000))
    assert (inner[::2] == inner[1::2]).all()


@pytest.mark.parametrize("count", [2, 5])
def test_few_groups_stay_together_whatever_the_seed(count: int) -> None:
    folds = EncodedFolds("nowhere", "regression", 0, 100, 5, False, {"tree": 1})
    groups = np.random.default_rng(1).integers(0, 2**63, count).astype(np.uint64)[np.arange(100) % count]
    for seed in range(50):
        opened = Shelf(Setting(folds, "rmse", seed=seed), {"group": groups})
        inner = inner_rows(opened, np.arange(100))
        looked_at = set(groups[inner].tolist())
        assert looked_at
        assert not looked_at & set(groups[~inner].tolist())
        assert np.array_equal(inner, inner_rows(opened, np.arange(100)))


def test_rows_of_a_single_group_are_parted() -> None:
    opened = shelf(100, time_ordered=False)
    opened.opened["group"] = np.ones(100, np.uint64)
    assert inner_rows(opened, np.arange(100)).sum() == 10


@pytest.fixture
def on_disk(tmp_path: Path) -> Shelf:
    """Sixty encoded rows, in which values are missing."""
    x = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    np.save(tmp_path / "target.npy", (x[:, 0] > 0).astype(np.int64))
    np.save(tmp_path / "fold.npy", (np.arange(60) % 5).astype(np.int8))
    x[::7, 1] = np.nan
    np.save(tmp_path / "tree-all.npy", x)
    return Shelf(Setting(EncodedFolds(str(tmp_path), "binary", 2, 60, 5, False, {"tree": 2}), "roc_auc", seed=7))


def job_of(family: str, shelf: Shelf) -> FitJob:
    path = str(Path(shelf.setting.folds.folder) / "estimator-1.pkl")
    parameters = Forest().default("binary", 60, 2)
    return FitJob(1, family, parameters, deadline=math.inf, latest=math.inf, path=path, least=-math.inf)


def test_a_forest_is_fitted_on_all_rows_where_values_are_missing(on_disk: Shelf) -> None:
    job = job_of("forest", on_disk)
    assert isinstance(fit_here(job, Forest(), on_disk), JobDone)
    assert Path(job.path).exists()


def test_a_fit_that_fails_in_the_searchs_own_process_is_told_but_for_the_baselines(on_disk: Shelf) -> None:
    np.save(Path(on_disk.setting.folds.folder) / "target.npy", np.zeros(3, np.int64))
    told = fit_here(job_of("forest", on_disk), Forest(), on_disk)
    assert isinstance(told, JobFailed)
    assert "ValueError" in told.reason
    with pytest.raises(ValueError, match="inconsistent"):
        fit_here(job_of(BASELINE, on_disk), Forest(), on_disk)


def test_a_fit_on_all_rows_is_held_against_the_folds_on_the_rows_that_they_validate(on_disk: Shelf) -> None:
    folder = Path(on_disk.setting.folds.folder)
    never, target = np.arange(60) < 20, np.load(folder / "target.npy")
    np.save(folder / "fold.npy", np.where(never, -3, np.arange(60) % 5).astype(np.int8))
    np.save(folder / "target.npy", np.where(never, 1 - target, target))  # of these nothing can be told
    np.save(folder / "dense-all.npy", np.nan_to_num(np.load(folder / "tree-all.npy")))
    setting = replace(on_disk.setting, metric="log_loss")
    default = Linear().default("binary", 60, 2)
    job = replace(job_of("linear", on_disk), parameters=default, least=-0.5)  # of all rows it is -0.56
    assert isinstance(fit_here(job, Linear(), Shelf(setting)), JobDone)
    told = fit_here(replace(job, least=-0.4), Linear(), Shelf(setting))
    assert isinstance(told, JobFailed)
    assert "must do as well" in told.reason
