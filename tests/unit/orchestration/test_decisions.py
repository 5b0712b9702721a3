"""What a training does with the decision that asked for it; no flow runs here."""

import pytest

from penstock.domain.workspace import Workspace
from penstock.errors import ModelError, PenstockError, Refused, SourceUnavailable
from penstock.orchestration import decisions
from penstock.store import trainings
from penstock.store.claims import find_claim, try_claim
from penstock.store.ledger import list_audit


def test_a_person_s_training_claims_nothing(workspace: Workspace) -> None:
    assert decisions.claim(None, "churn", workspace) is None
    assert decisions.done_before(None, workspace) is None
    with decisions.answering(None, "churn", workspace):
        pass


def test_a_decision_is_claimed_and_its_end_remembered(workspace: Workspace) -> None:
    assert decisions.claim("d1", "churn", workspace) is None
    with decisions.answering("d1", "churn", workspace):
        decisions.name_of_training("d1", "t1", workspace)
    claim = find_claim("d1", workspace)
    assert claim is not None
    assert claim.training == "t1"
    said = decisions.claim("d1", "churn", workspace)
    assert said == "merged into training t1, which went to its end"


def test_what_a_contract_refuses_ends_the_claim_and_is_audited(workspace: Workspace) -> None:
    decisions.claim("d1", "churn", workspace)
    with pytest.raises(Refused), decisions.answering("d1", "churn", workspace):
        raise Refused("The contract stops this table.")
    claim = find_claim("d1", workspace)
    assert claim is not None
    assert claim.ended_at is not None
    (entry,) = list_audit("churn", workspace, incident="d1")
    assert (entry.action, entry.reason) == ("training.blocked", "The contract stops this table.")


@pytest.mark.parametrize(
    "error", [SourceUnavailable("MLflow must answer."), RuntimeError("a fault"), KeyboardInterrupt()]
)
def test_what_may_go_well_the_next_time_leaves_the_claim_open(error: BaseException, workspace: Workspace) -> None:
    decisions.claim("d1", "churn", workspace)
    with pytest.raises(type(error)), decisions.answering("d1", "churn", workspace):
        raise error
    claim = find_claim("d1", workspace)
    assert claim is not None
    assert claim.ended_at is None


@pytest.mark.parametrize("error", [Refused("The graph answers otherwise."), ModelError("It has no graph.")])
def test_a_training_whose_model_cannot_be_served_is_not_gone_on_with(
    error: PenstockError, workspace: Workspace
) -> None:
    training = trainings.begin_training("churn", "d", "s", workspace)
    with pytest.raises(type(error)), decisions.ending_unservable(training, workspace):
        raise error
    assert trainings.begin_training("churn", "d", "s", workspace).id != training.id


def test_a_training_whose_bundle_met_a_fault_of_ours_is_gone_on_with(workspace: Workspace) -> None:
    training = trainings.begin_training("churn", "d", "s", workspace)
    with pytest.raises(RuntimeError), decisions.ending_unservable(training, workspace):
        raise RuntimeError("a fault")
    assert trainings.begin_training("churn", "d", "s", workspace).id == training.id


def test_a_training_killed_behind_its_end_is_not_done_again(workspace: Workspace) -> None:
    training = trainings.begin_training("churn", "d", "s", workspace, "d1")
    try_claim("d1", "churn", "run-1", workspace)
    assert decisions.done_before("d1", workspace) is None
    trainings.end_training(training, workspace)
    said = decisions.done_before("d1", workspace)
    assert said is not None
    assert training.id in said
    claim = find_claim("d1", workspace)
    assert claim is not None
    assert claim.training == training.id
    assert claim.ended_at is not None


def test_a_killed_training_is_found_by_its_decision_until_it_ends(workspace: Workspace) -> None:
    training = trainings.begin_training("churn", "d", "s", workspace, "d1")
    assert trainings.open_training("d1", workspace) == training.id
    again = trainings.begin_training("churn", "d", "s", workspace)
    assert (again.id, again.incident) == (training.id, "d1")  # a person goes on with it
    trainings.end_training(again, workspace)
    assert trainings.open_training("d1", workspace) is None
    assert trainings.ended_training("d1", workspace) == training.id
