"""What the service's calls take and give, as OpenAPI, and as a page that loads nothing from elsewhere."""

import html
import json
from functools import cache
from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_LABEL: Schema = {"type": ["string", "number", "boolean"], "description": "in the target's JSON type"}
_CELL: Schema = {"description": "string, number, boolean or null; of a column that nobody knows anything"}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def _asked(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Return the schema of an object that is sent: what else it holds is passed over."""
    return {**_object(required, optional), "additionalProperties": True}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _by_name(values: Schema, description: str) -> Schema:
    return {"type": "object", "additionalProperties": values, "description": description}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


_CLASS = _object(
    {
        "label": _LABEL,
        "score": {**_PROBABILITY, "description": "probability of the positive class, or of the label"},
        "probabilities": _by_name(_PROBABILITY, "by class"),
    }
)
_VALUE = _object({"value": _NUMBER, "low": _NUMBER, "high": {**_NUMBER, "description": "low to high: a 90 % interval"}})
_COLUMN = _object({"title": _TEXT, "type": {"anyOf": [_TEXT, _list(_TEXT)]}}, {"description": _TEXT})

# Of every body in JSON, by the last word of its path; `docs/reference/http.json` is written from it.
SCHEMAS: dict[str, Schema] = {
    "predict request": _asked({"rows": _list(_by_name(_CELL, "by column; the call `schema` tells them"))}),
    "predict answer": _object(
        {
            "request_id": {"type": "string", "format": "uuid"},
            "version": _TEXT,
            "predictions": {"anyOf": [_list(_CLASS), _list(_VALUE)]},
        }
    ),
    "labels request": _asked(
        {
            "labels": _list(
                _asked(
                    {"request_id": _TEXT, "row": _WHOLE, "value": _LABEL},
                    {"observed_at": {"type": "string", "description": "ISO 8601; without a zone: UTC"}},
                )
            )
        }
    ),
    "labels answer": _object({"accepted": _WHOLE, "superseded": _WHOLE, "unknown": _WHOLE}),
    "flags request": _asked({"request_id": _TEXT, "row": _WHOLE, "reason": {"type": "string", "minLength": 1}}),
    "flags answer": _object({"request_id": _TEXT, "row": _WHOLE, "state": {"const": "queued"}}),
    "versions answer": _object({"versions": _list(_object({"version": _TEXT, "weight": _NUMBER, "state": _TEXT}))}),
    "schema answer": {
        "description": "a JSON schema (2020-12) of a row",
        **_object(
            {
                "$schema": _TEXT,
                "title": _TEXT,
                "type": {"const": "object"},
                "properties": _by_name(_COLUMN, "by column"),
                "required": _list(_TEXT),
                "additionalProperties": {"const": True},
                "x-unused": {**_list(_TEXT), "description": "columns that a row may carry, and the version leaves out"},
            }
        ),
    },
    "livez answer": _object({"live": {"const": True}}),
    "readyz answer": _object(
        {
            "ready": _FLAG,
            "problem": _or_null(_TEXT),
            "projects": _by_name(_list(_TEXT), "the live versions of each"),
            "failed": _list(_object({"project": _TEXT, "version": _TEXT, "reason": _TEXT})),
        }
    ),
    "openapi answer": {"type": "object", "description": "an OpenAPI 3.1 document", "required": ["openapi", "paths"]},
    "error": _object(
        {
            "error": _object(
                {
                    "message": _TEXT,
                    "details": _list(
                        _object({"row": _or_null(_WHOLE), "column": _or_null(_TEXT), "must": _TEXT, "found": _TEXT})
                    ),
                }
            )
        }
    ),
}

ERRORS = {
    "400": "The body is not JSON, or nests too deep.",
    "401": "There is no key, or it is not known.",
    "403": "The key opens other projects.",
    "404": "There is no such project, call, version or row.",
    "405": "The call is made with another method.",
    "413": "The request is too large.",
    "422": "A row does not fit; details say which, and what must hold.",
    "429": "Too many requests are on their way.",
    "500": "The service failed; its log says why.",
    "503": "The journal cannot be written, so no answer leaves.",
}

V1 = "/v1/{project}/"
CALLS = (  # method, call, what it does
    ("post", "predict", "Predict rows. `X-Penstock-Version` pins a live version."),
    ("post", "labels", "Say what the true values of answered rows were."),
    ("post", "flags", "Put an answered row into the review queue."),
    ("get", "versions", "The live versions, with their share of callers in percent."),
    ("get", "schema", "The columns of a row."),
)
PAGES = (
    ("/livez", "Whether the process lives."),
    ("/readyz", "Whether it answers, with which versions, and which could not be loaded; 503 if it does not."),
    ("/metrics", "What it counts, for Prometheus."),
    ("/docs", "This page."),
    ("/openapi.json", "The same for programs."),
)


def names_of(path: str) -> tuple[str, str]:
    """Return the names of the schemas of a path's body and of its answer; not every path has both."""
    word = path.rsplit("/", 1)[1].removesuffix(".json")
    return f"{word} request", f"{word} answer"


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    calls = {V1 + call: {method: _operation(call, does)} for method, call, does in CALLS}
    pages = {path: {"get": _reading(path, does)} for path, does in PAGES}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock inference", "version": "1"},
        "paths": calls | pages,
        "components": {
            "schemas": {_component(name): schema for name, schema in SCHEMAS.items()},
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


def _operation(call: str, does: str) -> dict[str, Any]:
    request, answer = names_of(V1 + call)
    operation: dict[str, Any] = {
        "summary": does,
        "operationId": call,
        "parameters": [{"name": "project", "in": "path", "required": True, "schema": _TEXT}],
        "responses": {
            "200": {"description": "done", **_content(answer)},
            **{status: {"description": meaning, **_content("error")} for status, meaning in ERRORS.items()},
        },
    }
    if request in SCHEMAS:
        operation["requestBody"] = {"required": True, **_content(request)}
    if call == "predict":
        pin = {"name": "X-Penstock-Version", "in": "header", "required": False, "schema": _TEXT}
        operation["parameters"].append(pin)
    return operation


def _reading(path: str, does: str) -> dict[str, Any]:
    _, answer = names_of(path)
    response = {"description": does, **(_content(answer) if answer in SCHEMAS else {})}
    responses = {"200": response, **({"503": response} if path == "/readyz" else {})}
    return {"summary": does, "security": [], "responses": responses}


def _content(name: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_component(name)}"}}}}


def _component(name: str) -> str:
    """Return a schema's name as OpenAPI has it, without spaces."""
    return name.title().replace(" ", "")


def _section(method: str, call: str, does: str) -> str:
    shapes = "".join(
        f"<details><summary>{title}</summary><pre>{html.escape(json.dumps(SCHEMAS[name], indent=2))}</pre></details>"
        for title, name in zip(("body", "answer"), names_of(V1 + call), strict=True)
        if name in SCHEMAS
    )
    return f"<h2>{method.upper()} <code>{html.escape(V1 + call)}</code></h2><p>{html.escape(does)}</p>{shapes}"


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
