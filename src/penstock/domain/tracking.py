"""What MLflow is told of a training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrackedTrial:
    """A trial worth keeping: its name, parameters and metrics."""

    name: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """What one training tells MLflow."""

    project: str
    training: str
    name: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    files: Sequence[tuple[str, Path]] = ()
    trials: Sequence[TrackedTrial] = ()


@dataclass(frozen=True, slots=True)
class TrackedModel:
    """A bundle's folder, to be registered as a version of the project by its run and training."""

    project: str
    run_id: str
    training: str
    bundle: Path
