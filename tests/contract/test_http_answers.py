"""What the service says of its answers, and what the reference says of them, are one thing."""

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.serving.http.openapi import SCHEMAS

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = json.loads((ROOT / "docs" / "reference" / "http.json").read_text())["$defs"]
CLASS, VALUE = (kind["items"] for kind in ANSWERS["predict answer"]["properties"]["predictions"]["anyOf"])


def shape(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without its descriptions, and without whether more is allowed."""
    kept = {name: value for name, value in schema.items() if name != "description" and value is not False}
    if "properties" in kept:
        kept["properties"] = {name: shape(value) for name, value in kept["properties"].items()}
    return kept


@pytest.mark.parametrize(("name", "documented"), [("Class", CLASS), ("Value", VALUE)])
def test_a_prediction_is_documented_as_the_service_describes_it(name: str, documented: dict[str, Any]) -> None:
    assert shape(SCHEMAS[name]) == shape(documented)


def test_no_prediction_is_ever_null() -> None:
    assert "null" not in json.dumps([CLASS, VALUE])
