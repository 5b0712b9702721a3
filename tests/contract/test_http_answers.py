"""What the service says of its bodies and what the reference says of them are one thing.

A change is meant where the reference changes with it; `PYTHONPATH=. .venv/bin/python
tests/contract/test_http_answers.py` writes it anew.
"""

import json
import re
from typing import Any

import jsonschema

from penstock.serving.http.openapi import SCHEMAS, document
from tests.stranger import REFERENCE

FILE = REFERENCE / "http.json"


def described() -> dict[str, Any]:
    """Return what others rely on: the schema of every body."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What the inference service takes and answers",
        "$defs": SCHEMAS,
    }


def test_the_reference_says_of_every_body_what_the_service_says() -> None:
    assert json.loads(FILE.read_text()) == described(), "run this file as a script if the change is meant"


def test_every_body_has_a_json_schema_that_a_call_of_the_document_names() -> None:
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(document())
    named = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', text))
    assert named == set(document()["components"]["schemas"])
    assert len(named) == len(SCHEMAS)


def test_no_prediction_is_ever_null() -> None:
    assert "null" not in json.dumps(SCHEMAS["predict answer"])


if __name__ == "__main__":
    FILE.write_text(json.dumps(described(), indent=1) + "\n")
