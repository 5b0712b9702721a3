import json
from pathlib import Path

from penstock.domain.search import Real, SearchSpace, Trial, Value
from penstock.search import tuning
from penstock.search.tuning import Draft, Ended, Study

SPACE: SearchSpace = {"rate": Real(0.01, 1.0, log=True)}
DEFAULT: dict[str, Value] = {"rate": 0.1, "rounds": 100}


def ended(draft: Draft, score: float = 0.5, state: str = "finished") -> Ended:
    trial = Trial(
        number=draft.number,
        family=draft.family,
        parameters=draft.parameters,
        state=state,  # type: ignore[arg-type]
        score=score,
        fold_scores=(score, score),
        seconds=1.0,
        slot=0,
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
    assert study.waiting() == {"lightgbm": "tuned"}
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
    assert study.waiting() == {}


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
    study.tell(ended(draft, state="failed"))
    assert study.again(draft)
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
    assert again.waiting() == {}
    assert [one.trial.state for one in again.ended()] == ["finished"]
