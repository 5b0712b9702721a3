"""What the service's calls take and give, as OpenAPI, and as a page that loads nothing from elsewhere."""

import html
import json
from functools import cache
from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_PLACE = "#/components/schemas/"
_ANY: Schema = {"description": "any JSON value"}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": [*required]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


SCHEMAS: dict[str, Schema] = {
    "PredictRequest": _object({"rows": _list({"type": "object", "description": "column: value; see `schema`"})}),
    "Predictions": _object(
        {
            "request_id": {"type": "string", "format": "uuid"},
            "version": _TEXT,
            "predictions": _list({"oneOf": [{"$ref": _PLACE + "Class"}, {"$ref": _PLACE + "Value"}]}),
        }
    ),
    "Class": _object(
        {
            "label": {"type": ["string", "number", "boolean"], "description": "in the target's JSON type"},
            "score": {**_PROBABILITY, "description": "probability of the positive class, or of the label"},
            "probabilities": {"type": "object", "additionalProperties": _PROBABILITY},
        }
    ),
    "Value": _object(
        {"value": _NUMBER, "low": _NUMBER, "high": {**_NUMBER, "description": "low to high: a 90 % interval"}}
    ),
    "LabelsRequest": _object(
        {
            "labels": _list(
                _object(
                    {"request_id": _TEXT, "row": _WHOLE, "value": _ANY},
                    {"observed_at": {"type": "string", "format": "date-time"}},
                )
            )
        }
    ),
    "LabelCounts": _object({"accepted": _WHOLE, "superseded": _WHOLE, "unknown": _WHOLE}),
    "FlagRequest": _object({"request_id": _TEXT, "row": _WHOLE, "reason": _TEXT}),
    "Flagged": _object({"request_id": _TEXT, "row": _WHOLE, "state": _TEXT}),
    "Versions": _object({"versions": _list(_object({"version": _TEXT, "weight": {"type": "number"}, "state": _TEXT}))}),
    "RowSchema": {"type": "object", "description": "a JSON schema (2020-12) of a row"},
    "Error": _object(
        {
            "error": _object(
                {
                    "message": _TEXT,
                    "details": _list(
                        _object(
                            {
                                "row": {"type": ["integer", "null"]},
                                "column": {"type": ["string", "null"]},
                                "must": _TEXT,
                                "found": _TEXT,
                            }
                        )
                    ),
                }
            )
        }
    ),
}

ERRORS = {
    "400": "The body is not JSON.",
    "401": "There is no key, or it is not known.",
    "403": "The key opens other projects.",
    "404": "There is no such project, call, version or row.",
    "405": "The call is made with another method.",
    "413": "The request is too large.",
    "422": "A row does not fit; details say which, and what must hold.",
    "429": "Too many requests are on their way.",
}

V1 = "/v1/{project}/"
# method, path, what it does, its body, its answer
CALLS = (
    (
        "post",
        V1 + "predict",
        "Predict rows. `X-Penstock-Version` pins a live version.",
        "PredictRequest",
        "Predictions",
    ),
    ("post", V1 + "labels", "Say what the true values of answered rows were.", "LabelsRequest", "LabelCounts"),
    ("post", V1 + "flags", "Put an answered row into the review queue.", "FlagRequest", "Flagged"),
    ("get", V1 + "versions", "The live versions, with their share of callers in percent.", None, "Versions"),
    ("get", V1 + "schema", "The columns of a row.", None, "RowSchema"),
)
PAGES = (
    ("/livez", "Whether the process lives."),
    ("/readyz", "Whether it answers, with which versions, and which could not be loaded."),
    ("/metrics", "What it counts, for Prometheus."),
    ("/docs", "This page."),
    ("/openapi.json", "The same for programs."),
)


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, Any] = {}
    for method, path, does, body, gives in CALLS:
        paths.setdefault(path, {})[method] = _operation(path, does, body, gives)
    for path, does in PAGES:
        paths[path] = {"get": {"summary": does, "security": [], "responses": {"200": {"description": does}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock inference", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


@cache
def page() -> bytes:
    """Return the calls as one HTML page."""
    calls = "".join(_section(*call) for call in CALLS)
    pages = "".join(f"<tr><td><code>{path}</code><td>{html.escape(does)}" for path, does in PAGES)
    errors = "".join(f"<tr><td>{status}<td>{html.escape(meaning)}" for status, meaning in ERRORS.items())
    return _PAGE.format(calls=calls, pages=pages, errors=errors).encode()


def _operation(path: str, does: str, body: str | None, gives: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": does,
        "operationId": path.rsplit("/", 1)[1],
        "parameters": [{"name": "project", "in": "path", "required": True, "schema": _TEXT}],
        "responses": {
            "200": {"description": "done", "content": _content(gives)},
            **{status: {"description": meaning, "content": _content("Error")} for status, meaning in ERRORS.items()},
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    if path.endswith("/predict"):
        pin = {"name": "X-Penstock-Version", "in": "header", "required": False, "schema": _TEXT}
        operation["parameters"].append(pin)
    return operation


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _PLACE + schema}}}


def _section(method: str, path: str, does: str, body: str | None, gives: str) -> str:
    shapes = "".join(
        f"<details><summary>{title}</summary><pre>{html.escape(json.dumps(SCHEMAS[name], indent=2))}</pre></details>"
        for title, name in (("body", body), ("answer", gives))
        if name is not None
    )
    return f"<h2>{method.upper()} <code>{html.escape(path)}</code></h2><p>{html.escape(does)}</p>{shapes}"


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Penstock inference</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
h2 {{ font-size: 1.1rem; margin-top: 2rem }} code, pre {{ font: 14px ui-monospace, monospace }}
pre {{ background: #f4f4f2; padding: .8rem; overflow: auto }} td {{ padding: .2rem 1rem .2rem 0; vertical-align: top }}
</style>
<h1>Penstock inference</h1>
<p>Every call carries a key: <code>Authorization: Bearer KEY</code>. The document for programs is
<a href="/openapi.json"><code>/openapi.json</code></a>.</p>
{calls}
<h2>Pages, without a key</h2><table>{pages}</table>
<h2>Errors</h2><p>An error's body is <code>{{"error": {{"message", "details"}}}}</code>.</p><table>{errors}</table>
</html>
"""
