"""The flow run that does what a decision asked for: one of them, and again only if it was killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock.domain.events import Claim
from penstock.domain.releases import Training
from penstock.domain.workspace import Workspace
from penstock.errors import ModelError, PenstockError, Refused, SourceUnavailable
from penstock.orchestration.runs import current_run, name_run, run_link
from penstock.store.claims import end_claim, find_claim, name_training, try_claim
from penstock.store.ledger import Act
from penstock.store.trainings import ended_training, refuse_training


def claim(decision: str | None, project: str, workspace: Workspace) -> str | None:
    """Claim a decision for this process; return where its work is merged into, None if it is this process's to do.

    Parameters
    ----------
    decision
        The id of the monitor's decision; None if nobody but a person asks, and there is nothing to claim.
    project
        Whose training it asks for.
    workspace
        Where claims are kept.
    """
    if decision is None:
        return None
    found, mine = try_claim(decision, project, current_run(), workspace)
    return None if mine else _merged(found)


def done_before(decision: str | None, workspace: Workspace) -> str | None:
    """Return which training of a decision went to its end though nobody said so, and say so; None if none did.

    Asked with the project's lease held: the process was killed after its training had ended, or a person's training
    has gone on with it.
    """
    training = None if decision is None else ended_training(decision, workspace)
    if decision is None or training is None:
        return None
    name_training(decision, training, workspace)
    end_claim(decision, workspace)
    found = find_claim(decision, workspace)
    return None if found is None else _merged(found)


def merged(said: str, project: str) -> Any:
    """Return the state in which a flow run ends whose work another one does, and name the flow run so."""
    from prefect.states import Completed

    name_run(f"{project} merged")

    return Completed(message=said)


@contextmanager
def answering(decision: str | None, project: str, workspace: Workspace) -> Iterator[None]:
    """End the claim of a decision when the block has done what it asks for, or when trying again cannot help.

    What a contract, a gate or the project file refuses is written into the audit. A process that is killed, a server
    that does not answer and a fault of ours leave the claim open: `control` starts another flow run.
    """
    if decision is None:
        yield
        return
    try:
        yield
    except SourceUnavailable:
        raise
    except PenstockError as error:
        action = "training.blocked" if isinstance(error, Refused) else "training.failed"
        link = run_link(workspace) or None
        act = Act("train", action, project, error.message, after=decision, incident=decision, link=link)
        end_claim(decision, workspace, act)
        raise
    end_claim(decision, workspace)


@contextmanager
def ending_unservable(training: Training, workspace: Workspace) -> Iterator[None]:
    """End a training whose model cannot be served: who went on with it would come to the same model, and no further.

    The next training of the same rows and project file searches anew, with another seed.
    """
    try:
        yield
    except (Refused, ModelError):
        refuse_training(training, workspace)
        raise


def name_of_training(decision: str | None, training: str, workspace: Workspace) -> None:
    """Say which training came of a decision."""
    if decision is not None:
        name_training(decision, training, workspace)


def _merged(found: Claim) -> str:
    training = f"training {found.training}" if found.training else "the training that it has begun"
    state = "went to its end" if found.ended_at else "is at work"
    run = f" (flow run {found.flow_run})" if found.flow_run else ""
    return f"merged into {training}{run}, which {state}"
