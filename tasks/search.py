"""Steps from a plan to a fitted model."""

from prefect import task

from penstock.search import steps
from tasks._publish import publish

search = task(on_completion=[publish])(steps.search)
fit = task()(steps.fit)
