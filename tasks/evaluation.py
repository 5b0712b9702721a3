"""Steps that say how good a model is, and what to do with it."""

from prefect import task

from penstock.evaluation import explanation, gates, holdout, report, verdicts
from penstock.evaluation import judge as judging
from penstock.evaluation.reporting import material
from tasks._publish import publish

evaluate = task()(holdout.evaluate)
explain = task()(explanation.explain)
check_gates = task()(gates.check_gates)
judge = task(on_completion=[publish])(judging.judge)
record_verdict = task()(verdicts.record_verdict)
gather = task()(material.gather)
write_report = task()(report.write_report)
