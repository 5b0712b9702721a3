"""Steps that watch what is served, and say what follows."""

from prefect import task

from penstock.monitoring import drift, performance, policy, report, windows
from tasks._publish import publish, publish_page

take_window = task()(windows.take_window)
measure_drift = task(on_completion=[publish])(drift.measure_drift)
measure_performance = task(on_completion=[publish])(performance.measure_performance)
decide = task(on_completion=[publish])(policy.decide)
write_drift_report = task(on_completion=[publish_page])(report.write_drift_report)
