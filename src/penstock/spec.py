"""The project file: YAML to ProjectSpec."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from penstock.domain.workspace import PROJECT_NAME
from penstock.spec_faults import error_of, field_faults, plain, read_yaml, unknown
from penstock.spec_rules import cross_faults

Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Section):
    """Where rows come from."""

    kind: str
    path: str | None = None
    url: str | None = None
    query: str | None = None
    journal: bool = True


class BudgetSpec(_Section):
    """What a search may use."""

    seconds: Annotated[float, Field(gt=0)] = 20
    trials: Annotated[int, Field(gt=0)] | None = None
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    gpus: Literal["auto"] | Annotated[int, Field(ge=0)] = "auto"


class Limits(_Section):
    """Hard limits: a candidate over one cannot win."""

    latency_ms: Annotated[float, Field(gt=0)] | None = None
    size_mb: Annotated[float, Field(gt=0)] | None = None
    parameters: Annotated[int, Field(gt=0)] | None = None
    flops: Annotated[int, Field(gt=0)] | None = None


class Families(_Section):
    """Which model families are searched, what they may vary, and estimators of the user's own."""

    include: Literal["all"] | list[str] = "all"
    exclude: list[str] = []
    spaces: dict[str, dict[str, Any]] = {}
    own: dict[str, str] = {}


class SearchSpec(_Section):
    """How a search goes about it."""

    sampler: Literal["tpe", "random", "grid"] = "tpe"
    deterministic: bool = False


class Columns(_Section):
    """What a person says about columns."""

    drop: list[str] = []
    allow: list[str] = []
    kinds: dict[str, Literal["number", "category", "text", "date", "boolean"]] = {}
    forbidden: list[str] = []
    monotone: dict[str, Literal["increasing", "decreasing"]] = {}
    sensitive: list[str] = []
    embeddings: str | None = None


class SplitSpec(_Section):
    """How rows are held out; 0 is for benchmarks only."""

    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.2


class Validation(_Section):
    """The share of failing rows above which a run stops."""

    quarantine: Share = 0.05


class Fairness(_Section):
    """A largest gap of a metric between groups."""

    group: str
    metric: Literal["recall", "precision", "accuracy", "selection_rate", "false_positive_rate"] = "recall"
    max_gap: Share = 0.1


class Gates(_Section):
    """What a version must show before it may answer."""

    mode: Literal["superior", "non_inferior"] = "superior"
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    min_gain: float = 0.0
    margin: Annotated[float, Field(ge=0)] = 0.0
    min_rows: Annotated[int, Field(ge=1)] = 200
    cases: str | None = None
    fairness: Fairness | None = None


class Tolerate(_Section):
    """The harm that a stage of a rollout may show."""

    errors: Share = 0.01
    latency: Annotated[float, Field(ge=1)] = 1.2
    mix: Share = 0.05
    quality: Share = 0.02


class RolloutSpec(_Section):
    """How traffic moves to a new version."""

    stages: list[Annotated[float, Field(ge=0, le=100)]] = [0, 5, 25, 100]
    tolerate: Tolerate = Tolerate()
    max_wait_minutes: Annotated[float, Field(gt=0)] = 60
    thin_traffic: Literal["paired", "hold"] = "paired"
    approve: Literal["until_trusted"] | bool = False


class Monitoring(_Section):
    """How often, and on how many rows, drift is measured."""

    every_minutes: Annotated[float, Field(gt=0)] = 15
    window_rows: Annotated[int, Field(gt=0)] = 1000
    min_rows: Annotated[int, Field(gt=0)] = 200


class Retrain(_Section):
    """When a retraining is warranted."""

    persistence: Annotated[int, Field(ge=1)] = 2
    cooldown_minutes: Annotated[float, Field(ge=0)] = 60
    min_new_labels: Annotated[int, Field(ge=0)] = 200
    every_labels: Annotated[int, Field(gt=0)] | None = None


class ProjectSpec(_Section):
    """One prediction problem, as a person wrote it down."""

    name: Annotated[str, Field(pattern=f"^{PROJECT_NAME}$")]
    source: Source
    target: str
    problem: Literal["binary", "multiclass", "regression"] | None = None
    positive: str | int | float | bool | None = None
    time: str | None = None
    id: str | None = None
    metric: str | None = None
    costs: dict[str, Any] | None = None
    limits: Limits = Limits()
    budget: BudgetSpec = BudgetSpec()
    families: Families = Families()
    search: SearchSpec = SearchSpec()
    columns: Columns = Columns()
    split: SplitSpec = SplitSpec()
    validation: Validation = Validation()
    gates: Gates = Gates()
    rollout: RolloutSpec = RolloutSpec()
    monitoring: Monitoring = Monitoring()
    retrain: Retrain = Retrain()
    drift: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    seed: int = 7
    bundle: Literal["onnx", "python"] = "onnx"
    path: Annotated[Path, Field(exclude=True)] = Path()

    @property
    def folder(self) -> Path:
        """The folder that relative paths of the file start from."""
        return self.path.parent


def load_spec(path: Path) -> ProjectSpec:
    """Read a project file.

    Parameters
    ----------
    path
        A YAML file in the form of the reference page of the project file.

    Returns
    -------
    ProjectSpec
        With `path` set to the file's absolute path.

    Raises
    ------
    SpecError
        With every fault at once: its line, what must hold, what was found, and the nearest right word. Each of
        `details` has line, key, must, found and hint.
    """
    tree = read_yaml(path, "project file")
    data = plain(tree)
    faults = cross_faults(data)
    try:
        spec = ProjectSpec.model_validate({**data, "path": path.resolve()})
    except ValidationError as error:
        faults = [*field_faults(error, data, ProjectSpec), *faults]
    if "path" in data:
        faults.append(unknown(("path",), ProjectSpec, ProjectSpec))
    if faults:
        raise error_of(path, faults, tree, "project file")
    return spec
