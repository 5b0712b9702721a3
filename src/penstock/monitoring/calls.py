"""What the service counts of its own calls: one that fails reaches no journal, which holds answers alone."""

import http.client
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from penstock.domain.monitoring import Monitored
from penstock.domain.workspace import Workspace

PATIENCE_SECONDS = 2.0
ANSWERED, FAILED = 200, 500  # HTTP: from 500 on it is the service that failed, below it the caller
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # our own service on loopback

Counted = tuple[int, int]


def count_calls(project: str, workspace: Workspace) -> Counted | None:
    """Return how many predict calls of a project the service has answered or failed since it began, and failed.

    Calls that it refused, such as rows that do not fit, are neither. None if the service does not say.
    """
    try:
        with _direct.open(f"{workspace.serving_url}/metrics", timeout=PATIENCE_SECONDS) as answer:
            text = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    asked = failed = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name != "penstock_requests_total" or sample.labels.get("call") != "predict":
                continue
            status = int(sample.labels["status"])
            if sample.labels["project"] == project and (status == ANSWERED or status >= FAILED):
                asked += int(sample.value)
                failed += int(sample.value) if status >= FAILED else 0
    return asked, failed


def calls_since(before: Monitored | None, counted: Counted | None) -> Counted | None:
    """Return calls and failures since an earlier window; all there are after a restart, or before the first window."""
    if counted is None or before is None:
        return counted
    then = before.performance.counted
    if then is None:
        return None
    restarted = counted[0] < then[0] or counted[1] < then[1]
    return counted if restarted else (counted[0] - then[0], counted[1] - then[1])
