"""Steps from a plan to a fitted model."""

from prefect import task

from penstock.search import steps
from tasks._follow import follow, leave
from tasks._publish import publish

search = task(on_running=[follow], on_completion=[leave, publish], on_failure=[leave])(steps.search)
fit = task()(steps.fit)
