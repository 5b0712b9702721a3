import json
from pathlib import Path

import pytest

from penstock.domain.search import Choice, Mark, Real, SearchSpace, Trial, Value, Whole
from penstock.search import tuning
from penstock.search.trial_records import Draft, Ended
from penstock.search.tuning import Study

SPACE: SearchSpace = {"rate": Real(0.01, 1.0, log=True)}
DEFAULT: dict[str, Value] = {"rate": 0.1, "rounds": 100}
FIRST: dict[str, Value] = {"rate": 0.3, "rounds": 100}
SECOND: dict[str, Value] = {"rate": 0.5, "rounds": 100}


def ended(draft: Draft, score: float = 0.5, state: str = "finished", mark: Mark = "") -> Ended:
    trial = Trial(
        number=draft.number,
        family=draft.family,
        parameters=draft.parameters,
        state=state,  # type: ignore[arg-type]
        score=score,
        fold_scores=(score, score),
        seconds=1.0,
        slot=0,
        mark=mark,
    )
    return Ended(trial, draft.kind, {"rounds": 7}, 10, (0.5, 0.5))


def forget_owner(journal: Path) -> None:
    """Make every running trial that of a process that is gone."""
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if "begun" in line.get("user_attr", {}):
            line["user_attr"]["begun"]["owner"] = [2**22 + 1, 1]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_the_default_is_tried_as_it_is_even_outside_the_space(tmp_path: Path) -> None:
    draft = Study(tmp_path / "j.log", 7).ask("lightgbm", "default", {"rate": 0.0, "rounds": 5}, SPACE)
    assert draft.parameters == {"rate": 0.0, "rounds": 5}


def test_finished_trials_are_there_for_the_next_process(tmp_path: Path) -> None:
    study = Study(tmp_path / "j.log", 7)
    draft = study.ask("lightgbm", "default", DEFAULT, SPACE)
    study.tell(ended(draft, 0.8))
    again = Study(tmp_path / "j.log", 7)
    assert again.reap() == 0
    assert again.ended() == [ended(draft, 0.8)]
    assert again.ask("lightgbm", "tuned", DEFAULT, SPACE).number == draft.number + 1


def test_a_trial_of_a_dead_process_is_failed_and_tried_again(tmp_path: Path) -> None:
    journal = tmp_path / "j.log"
    lost = Study(journal, 7).ask("lightgbm", "tuned", DEFAULT, SPACE)
    forget_owner(journal)
    study = Study(journal, 7)
    assert study.reap() == 1
    retried = study.ask("lightgbm", "tuned", DEFAULT, SPACE)
    assert (retried.parameters, retried.retries) == (lost.parameters, 1)


def test_a_trial_is_tried_again_at_most_twice(tmp_path: Path) -> None:
    journal = tmp_path / "j.log"
    for _ in range(3):
        study = Study(journal, 7)
        study.reap()
        study.ask("lightgbm", "tuned", DEFAULT, SPACE)
        forget_owner(journal)
    study = Study(journal, 7)
    study.reap()
    assert study.gives_up(study.ended()[-1])
    assert study.ask("lightgbm", "tuned", DEFAULT, SPACE).retries == 0


def test_a_living_owner_keeps_its_trial(tmp_path: Path) -> None:
    Study(tmp_path / "j.log", 7).ask("lightgbm", "tuned", DEFAULT, SPACE)
    assert Study(tmp_path / "j.log", 7).reap() == 0


def test_a_line_cut_in_half_and_a_lock_left_behind_do_no_harm(tmp_path: Path) -> None:
    journal = tmp_path / "j.log"
    study = Study(journal, 7)
    draft = study.ask("lightgbm", "default", DEFAULT, SPACE)
    study.tell(ended(draft))
    with journal.open("ab") as file:
        file.write(b'{"op_code": 5, "wor')
    (tmp_path / "j.log.lock").symlink_to(journal)
    assert Study(journal, 7).ended() == [ended(draft)]


def test_partial_scores_teach_a_familys_sampler_nothing(tmp_path: Path) -> None:
    study = Study(tmp_path / "j.log", 7)
    study.tell(ended(study.ask("lightgbm", "partial", DEFAULT, SPACE)))
    study.tell(ended(study.ask("lightgbm", "default", DEFAULT, SPACE)))
    names = {found.study_name: len(found.trials) for found in map(study._study, ("lightgbm", "lightgbm partial"))}
    assert names == {"lightgbm": 1, "lightgbm partial": 1}


def test_a_default_is_moved_into_the_space_for_the_sampler_alone() -> None:
    assert tuning._nearest({"rate": 0.0}, SPACE) == {"rate": 0.01}


def test_a_default_outside_the_space_is_tried_again_as_it_is(tmp_path: Path) -> None:
    study = Study(tmp_path / "j.log", 7)
    draft = study.ask("lightgbm", "default", {"rate": 0.0, "rounds": 5}, SPACE)
    study.tell(ended(draft, state="failed", mark="process died"))
    assert draft.again
    retried = study.ask("lightgbm", "default", {"rate": 0.0, "rounds": 5}, SPACE)
    assert (retried.parameters, retried.retries) == (draft.parameters, 1)


def test_what_died_with_its_search_is_listed_as_failed_and_marked(tmp_path: Path) -> None:
    journal = tmp_path / "j.log"
    lost = Study(journal, 7).ask("lightgbm", "tuned", DEFAULT, SPACE)
    forget_owner(journal)
    (listed,) = Study(journal, 7).ended()
    assert (listed.trial.number, listed.trial.state, listed.trial.mark) == (lost.number, "failed", "process died")


def test_a_kill_between_keeping_a_result_and_saying_so_repeats_nothing(tmp_path: Path) -> None:
    journal = tmp_path / "j.log"
    study = Study(journal, 7)
    draft = study.ask("lightgbm", "tuned", DEFAULT, SPACE)
    study.tell(ended(draft))
    lines = journal.read_text(encoding="utf-8").splitlines()
    journal.write_text("".join(f"{line}\n" for line in lines[:-1]), encoding="utf-8")  # its state was not written
    forget_owner(journal)
    again = Study(journal, 7)
    assert again.reap() == 0
    assert again.ask("lightgbm", "tuned", DEFAULT, SPACE).retries == 0
    assert [one.trial.state for one in again.ended()] == ["finished"]


def told(study: Study, number: int) -> dict[str, Value]:
    """Return what the sampler is told that a trial tried."""
    trials = study._study("lightgbm").get_trials(deepcopy=False)
    return next(dict(one.params) for one in trials if tuning._begun(one).get("number") == number)


def test_a_portfolio_that_died_is_tried_again_as_itself_whatever_is_asked_for_before(tmp_path: Path) -> None:
    study = Study(tmp_path / "j.log", 7)
    lost = study.ask("lightgbm", "portfolio", FIRST, SPACE)
    study.tell(ended(lost, state="failed", mark="process died"))
    other = study.ask("lightgbm", "portfolio", SECOND, SPACE)
    retried = study.ask("lightgbm", "portfolio", FIRST, SPACE)
    assert (other.parameters, other.retries) == (SECOND, 0)
    assert (retried.parameters, retried.retries) == (FIRST, 1)
    assert [told(study, draft.number) for draft in (other, retried)] == [{"rate": 0.5}, {"rate": 0.3}]


def test_a_tuned_trial_that_died_with_its_search_waits_for_the_next_tuned_one(tmp_path: Path) -> None:
    journal = tmp_path / "j.log"
    lost = Study(journal, 7).ask("lightgbm", "tuned", DEFAULT, SPACE)
    forget_owner(journal)
    study = Study(journal, 7)
    study.reap()
    other = study.ask("lightgbm", "portfolio", FIRST, SPACE)
    retried = study.ask("lightgbm", "tuned", DEFAULT, SPACE)
    assert (other.parameters, other.retries) == (FIRST, 0)
    assert (retried.parameters, retried.retries) == (lost.parameters, 1)
    assert [told(study, draft.number)["rate"] for draft in (other, retried)] == [0.3, lost.parameters["rate"]]


def test_what_died_in_a_slot_is_tried_again_by_the_next_process(tmp_path: Path) -> None:
    study = Study(tmp_path / "j.log", 7)
    lost = study.ask("lightgbm", "tuned", DEFAULT, SPACE)
    study.tell(ended(lost, state="failed", mark="process died"))
    again = Study(tmp_path / "j.log", 7)
    again.reap()
    retried = again.ask("lightgbm", "tuned", DEFAULT, SPACE)
    assert (retried.parameters, retried.retries) == (lost.parameters, 1)
    assert again.ask("lightgbm", "tuned", DEFAULT, SPACE).retries == 0


def test_a_dead_trial_outside_a_space_that_was_edited_is_not_tried_again(tmp_path: Path) -> None:
    study = Study(tmp_path / "j.log", 7)
    lost = study.ask("lightgbm", "tuned", DEFAULT, {"rate": Real(0.5, 1.0, log=True)})
    study.tell(ended(lost, state="failed", mark="process died"))
    draft = study.ask("lightgbm", "tuned", DEFAULT, {"rate": Real(0.01, 0.1, log=True)})
    assert draft.retries == 0
    assert 0.01 <= float(draft.parameters["rate"] or 0) <= 0.1


def test_what_was_queued_and_killed_before_it_was_taken_is_tried_by_nobody(tmp_path: Path) -> None:
    study = Study(tmp_path / "j.log", 7)
    study.tell(ended(study.ask("lightgbm", "default", DEFAULT, SPACE)))
    tuning._queue(study._study("lightgbm"), {"rate": 0.9})
    again = Study(tmp_path / "j.log", 7)
    assert again.reap() == 0
    assert told(again, again.ask("lightgbm", "portfolio", FIRST, SPACE).number) == {"rate": 0.3}


@pytest.mark.parametrize(("mark", "given_up"), [("", True), ("over deadline", False), ("process died", False)])
def test_what_had_too_little_time_may_be_tried_by_a_later_process(mark: Mark, given_up: bool, tmp_path: Path) -> None:
    study = Study(tmp_path / "j.log", 7)
    study.tell(ended(study.ask("lightgbm", "portfolio", FIRST, SPACE), state="failed", mark=mark))
    again = Study(tmp_path / "j.log", 7)
    (failed,) = again.ended()
    assert again.gives_up(failed) == given_up


def test_a_point_of_a_grid_that_died_costs_no_other_its_turn(tmp_path: Path) -> None:
    space: SearchSpace = {"kind": Choice(("x", "y", "z"))}
    study = Study(tmp_path / "j.log", 7, "grid")
    seen = []
    for state, mark in (("failed", "process died"), ("finished", ""), ("finished", ""), ("finished", "")):
        draft = study.ask("lightgbm", "tuned", {}, space)
        study.tell(ended(draft, state=state, mark=mark))  # type: ignore[arg-type]
        seen.append(draft.parameters["kind"])
    assert seen[0] == seen[1]
    assert sorted(map(str, seen[1:])) == ["x", "y", "z"]


def test_a_range_that_is_logarithmic_no_more_has_a_study_of_its_own(tmp_path: Path) -> None:
    study = Study(tmp_path / "j.log", 7)
    study.tell(ended(study.ask("forest", "tuned", {}, {"leaf_rows": Whole(1, 20, log=True)})))
    draft = study.ask("forest", "tuned", {}, {"leaf_rows": Whole(0, 20)})
    assert 0 <= int(draft.parameters["leaf_rows"] or 0) <= 20
