"""Bring a version before the judge: its model, and its answers on the challenger's holdout."""

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Decision, Gate, Held
from penstock.domain.models import FittedModel, ModelVersion
from penstock.domain.outcomes import Trained
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.evaluation.judge import Judged
from penstock.serving.registry import bundle_of, model_of
from penstock.serving.scoring import answer
from penstock.store import records


def stand(version: ModelVersion, trained: Trained, gates: tuple[Gate, ...], workspace: Workspace) -> Judged:
    """Bring a challenger before the judge.

    Parameters
    ----------
    version, trained, gates
        The version, what its training made, and its gates.
    workspace
        Not read; every step takes it last.

    Returns
    -------
    Judged
        The challenger with its answers, gates and evaluation.
    """
    del workspace
    return Judged(
        key=version.training,
        model=trained.model,
        predictions=trained.answers,
        version=version.version,
        gates=gates,
        evaluation=trained.evaluation,
    )


def stand_champion(champion: ModelVersion | None, split: Split, workspace: Workspace) -> Judged | None:
    """Bring the champion before the judge: its answers on the rows that the challenger is judged on.

    Parameters
    ----------
    champion
        The version that serves, or None before the first release.
    split
        The challenger's split.
    workspace
        Where bundles and tables are.

    Returns
    -------
    Judged or None
        The champion with its answers, None if there is none.

    Raises
    ------
    NotFound
        If a record of the champion is gone.
    """
    if champion is None:
        return None
    return Judged(
        key=champion.training,
        model=model_of(champion, workspace),
        predictions=answer(bundle_of(champion, workspace), split, "holdout", workspace),
        version=champion.version,
    )


def stand_held(held: Held, split: Split, workspace: Workspace) -> Judged:
    """Bring a held challenger before the judge again, with the gates that it held.

    Parameters
    ----------
    held
        The challenger.
    split
        The rows that neither it nor the champion was fitted on.
    workspace
        Where bundles, tables and decisions are.

    Returns
    -------
    Judged
        The challenger with its answers and gates.

    Raises
    ------
    NotFound
        If a record of the challenger is gone.
    """
    version = records.find_version(held.project, held.version, workspace)
    decision = records.find_record("decision", held.decision, held.project, Decision, workspace)
    if decision is None:
        raise NotFound(f"The decision {held.decision!r} that held version {held.version} must be kept, but is gone.")
    return Judged(
        key=version.training,
        model=model_of(version, workspace),
        predictions=answer(bundle_of(version, workspace), split, "holdout", workspace),
        version=version.version,
        gates=decision.gates,
    )


def compared_models(held: Held, champion: ModelVersion, workspace: Workspace) -> tuple[FittedModel, FittedModel]:
    """Return the models that are compared: the held challenger's and the champion's.

    Parameters
    ----------
    held, champion
        The two versions.
    workspace
        Where records are kept.

    Returns
    -------
    tuple of FittedModel
        The challenger's, then the champion's.

    Raises
    ------
    NotFound
        If a record of either is gone.
    """
    challenger = records.find_version(held.project, held.version, workspace)
    return model_of(challenger, workspace), model_of(champion, workspace)
