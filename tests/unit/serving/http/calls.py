"""A call of the service, and what its bodies are held against."""

import json
from typing import Any

from penstock.serving.http.openapi import names_of
from tests.stranger import check_shape

PREDICT = "/v1/churn/predict"


def hold(path: str, status: int, sent: bytes, said: Any) -> set[str]:
    """Hold a call against `docs/reference/http.json`: what was answered, and what was sent if it was taken.

    Returns the names of the schemas.
    """
    request, answer = names_of(path)
    bodies = {"error" if "error" in said else answer: said}
    if status == 200 and sent:
        bodies[request] = json.loads(sent)
    for name, body in bodies.items():
        check_shape(body, "http.json", name)
    return set(bodies)


def error(body: Any) -> Any:
    assert set(body) == {"error"}
    return body["error"]
