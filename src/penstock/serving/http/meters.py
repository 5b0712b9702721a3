"""What the service counts of itself, in Prometheus' words; names of callers' making never become labels."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from penstock.serving.http.answering import Answered
from penstock.serving.http.routes import Routing
from penstock.serving.http.shadowing import Shadowing

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Meters(Collector):
    """Counts in plain numbers, which one thread alone changes; read when Prometheus asks."""

    def __init__(self, routing: Callable[[], Routing], shadowing: Shadowing | None = None) -> None:
        self.routing = routing
        self.shadowing = shadowing
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.rows: Counter[tuple[str, str]] = Counter()
        self.unknown: Counter[str] = Counter()
        self.fallbacks: Counter[tuple[str, str]] = Counter()
        self.seconds: dict[str, list[int]] = {}
        self.total: dict[str, float] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def count(self, project: str, call: str, status: int, seconds: float) -> None:
        """Count a request; `project` and `call` are known ones, or empty."""
        self.requests[project, call, status] += 1
        if call == "predict":
            buckets = self.seconds.get(project)
            if buckets is None:
                buckets = self.seconds[project] = [0] * (len(SECONDS) + 1)
                self.total[project] = 0.0
            buckets[bisect_left(SECONDS, seconds)] += 1
            self.total[project] += seconds

    def count_rows(self, project: str, answered: Answered) -> None:
        """Count what was answered, by which version, and what nobody knew."""
        self.rows[project, answered.live.version] += len(answered.answers)
        if answered.others:
            self.unknown[project] += sum(map(len, answered.others))
        if answered.failed is not None:
            self.fallbacks[project, answered.failed.version] += 1

    def text(self) -> bytes:
        """Return every figure as Prometheus reads it."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Tell the registry nothing in advance: figures come and go with projects."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give every figure."""
        requests = CounterMetricFamily("penstock_requests", "Requests answered.", labels=("project", "call", "status"))
        for (project, call, status), count in list(self.requests.items()):
            requests.add_metric((project, call, str(status)), count)
        yield requests
        rows = CounterMetricFamily("penstock_rows", "Rows predicted.", labels=("project", "version"))
        for (project, version), count in list(self.rows.items()):
            rows.add_metric((project, version), count)
        yield rows
        unknown = CounterMetricFamily(
            "penstock_unknown_columns", "Values sent in columns that nobody knows.", labels=("project",)
        )
        for project, count in list(self.unknown.items()):
            unknown.add_metric((project,), count)
        yield unknown
        fallbacks = CounterMetricFamily(
            "penstock_fallbacks",
            "Requests that a version failed and the main one answered.",
            labels=("project", "version"),
        )
        for (project, version), count in list(self.fallbacks.items()):
            fallbacks.add_metric((project, version), count)
        yield fallbacks
        yield self._latency()
        yield from self._served()
        if self.shadowing is not None:
            yield from _shadowed(self.shadowing)

    def _latency(self) -> Metric:
        latency = HistogramMetricFamily(
            "penstock_predict_seconds", "Seconds from request to answer.", labels=("project",)
        )
        for project, counts in list(self.seconds.items()):
            buckets, total = [], 0
            for upper, count in zip((*map(str, SECONDS), "+Inf"), counts, strict=True):
                total += count
                buckets.append((upper, total))
            latency.add_metric((project,), buckets, self.total[project])
        return latency

    def _served(self) -> Iterator[Metric]:
        weights = GaugeMetricFamily(
            "penstock_version_weight", "Percent of callers that a live version answers.", labels=("project", "version")
        )
        failures = GaugeMetricFamily(
            "penstock_version_failed",
            "Versions that should answer and could not be loaded.",
            labels=("project", "version"),
        )
        states = GaugeMetricFamily(
            "penstock_version_state", "What a live version is doing.", labels=("project", "version", "state")
        )
        routing = self.routing()
        for route in routing.routes.values():
            for live in route.live.values():
                weights.add_metric((route.project, live.version), route.share_of(live))
                states.add_metric((route.project, live.version, live.state), 1)
        for failure in routing.failures:
            failures.add_metric((failure.project, failure.version), 1)
        yield weights
        yield states
        yield failures


def _shadowed(shadowing: Shadowing) -> Iterator[Metric]:
    rows = CounterMetricFamily("penstock_shadow_rows", "Rows that a shadow answered.", labels=("project", "version"))
    failed = CounterMetricFamily(
        "penstock_shadow_failures", "Requests that a shadow failed.", labels=("project", "version")
    )
    for family, counts in ((rows, shadowing.rows), (failed, shadowing.failed)):
        for (project, version), count in list(counts.items()):
            family.add_metric((project, version), count)
        yield family
    dropped = CounterMetricFamily(
        "penstock_shadow_dropped", "Requests that found no room in the queue of shadows.", labels=("project",)
    )
    for project, count in list(shadowing.dropped.items()):
        dropped.add_metric((project,), count)
    yield dropped
