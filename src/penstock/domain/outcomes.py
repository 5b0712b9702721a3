"""What one training came to: what commands print and flows return."""

from dataclasses import dataclass, field

from penstock.domain.evaluation import Decision, Score
from penstock.domain.releases import Release


@dataclass(frozen=True, slots=True)
class Outcome:
    """A training from its first stage to its decision, and the release that followed.

    `report` is the digest of the HTML report; `closing` are its three closing lines; `seconds` are by stage.
    """

    project: str
    version: str
    decision: Decision
    score: Score
    finished: int
    skipped: int
    report: str
    closing: tuple[str, ...]
    release: Release | None = None
    seconds: dict[str, float] = field(default_factory=dict)
