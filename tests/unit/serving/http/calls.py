"""A call of the service, and the one form of its errors."""

from typing import Any

PREDICT = "/v1/churn/predict"


def error(body: Any) -> Any:
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "details"}
    return body["error"]
