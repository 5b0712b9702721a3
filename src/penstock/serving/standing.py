"""Bring a version before the judge: its model, and its answers on the challenger's holdout."""

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Gate
from penstock.domain.models import ModelVersion
from penstock.domain.outcomes import Trained
from penstock.domain.workspace import Workspace
from penstock.evaluation.judge import Judged
from penstock.serving.registry import bundle_of, model_of
from penstock.serving.scoring import answer


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
