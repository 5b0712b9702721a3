"""What the last line of every benchmark is made of: one JSON object of measures by name."""

from collections.abc import Mapping
from typing import Any

Figure = float | int | None


def measured(
    value: Figure,
    unit: str,
    goal: Figure = None,
    met: bool | None = None,
    peers: Mapping[str, Figure] | None = None,
) -> dict[str, Any]:
    """Return one measure: its value and unit, what it should be and whether it is, and the same of peers."""
    return {"value": value, "unit": unit, "goal": goal, "met": met, "peers": dict(peers or {})}
