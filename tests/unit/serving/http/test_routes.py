"""Which version a caller gets."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.domain.releases import Release, ReleaseState
from penstock.serving.http.routes import LiveVersion, Route, place_of, shares_of, wanted
from penstock.serving.session import LoadedBundle
from tests.unit.serving.stand_in import write_bundle


def release(weights: dict[str, float], state: ReleaseState = "partial", previous: str | None = "1") -> Release:
    return Release(7, "churn", "2", state, weights, datetime.now(UTC), "test", "test", previous)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> LoadedBundle:
    return LoadedBundle.open(write_bundle(Path(tmp_path_factory.mktemp("bundle"))))


def route(weights: dict[str, float], bundle: LoadedBundle) -> Route:
    given = release(weights)
    live = {version: LiveVersion(version, weight, state, bundle) for version, weight, state in wanted(given)}
    return Route("churn", 7, live, shares_of(live, given))


def test_callers_are_shared_by_the_weights(bundle: LoadedBundle) -> None:
    partial = route({"1": 75.0, "2": 25.0}, bundle)
    counts = Counter(chosen.version for caller in range(4000) if (chosen := partial.choose(caller)))
    assert 0.22 < counts["2"] / 4000 < 0.28


def test_a_caller_keeps_its_version_while_a_share_grows(bundle: LoadedBundle) -> None:
    small, large = route({"1": 95.0, "2": 5.0}, bundle), route({"1": 75.0, "2": 25.0}, bundle)
    for caller in range(500):
        one, other = small.choose(f"customer {caller}"), large.choose(f"customer {caller}")
        assert one is not None
        assert other is not None
        assert one.version == "1" or other.version == "2"


def test_a_place_depends_on_caller_and_release_alone() -> None:
    assert place_of("churn", 7, "a") == place_of("churn", 7, "a")
    assert len({place_of("churn", 7, "a"), place_of("churn", 8, "a"), place_of("fraud", 7, "a")}) == 3


def test_a_weight_of_nothing_answers_nobody_and_stays_warm(bundle: LoadedBundle) -> None:
    whole = route({"1": 0.0, "2": 100.0}, bundle)
    assert {whole.choose().version for _ in range(50)} == {"2"}  # type: ignore[union-attr]
    assert [(live.version, live.weight, live.state) for live in whole.live.values()] == [
        ("2", 100.0, "partial"),
        ("1", 0.0, "warm"),
    ]


def test_a_shadow_is_live_without_a_share() -> None:
    assert wanted(release({"1": 100.0}, "shadow")) == [("1", 100.0, "serving"), ("2", 0.0, "shadow")]


def test_nothing_is_chosen_where_nothing_answers() -> None:
    assert Route("churn", 0).choose("a") is None
    assert Route("churn", 0).main is None
