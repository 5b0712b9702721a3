"""Steps that say how good a model is, and what to do with it."""

from prefect import task

from penstock.evaluation import explanation, gates, holdout, judge as judging, report
from tasks._publish import publish

evaluate = task()(holdout.evaluate)
explain = task()(explanation.explain)
check_gates = task()(gates.check_gates)
judge = task(on_completion=[publish])(judging.judge)
write_report = task()(report.write_report)
