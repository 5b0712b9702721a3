"""Steps from a fitted model to a version that can answer."""

from prefect import task

from penstock.serving import bundle as bundles
from penstock.serving import packaging, registry, scoring, standing
from penstock.serving.journals import sealing
from tasks._publish import worth_retrying

bundle = task()(bundles.bundle)
answer = task()(scoring.answer)
register = task(retries=3, retry_delay_seconds=2, retry_condition_fn=worth_retrying)(registry.register)
attach_report = task(retries=3, retry_delay_seconds=2, retry_condition_fn=worth_retrying)(registry.attach_report)
package = task()(packaging.package)
tag_gates = task(retries=3, retry_delay_seconds=2, retry_condition_fn=worth_retrying)(registry.tag_gates)
stand = task()(standing.stand)
stand_champion = task()(standing.stand_champion)
stand_held = task()(standing.stand_held)
compared_models = task()(standing.compared_models)
score_table = task()(scoring.score_table)
seal = task()(sealing.seal)
