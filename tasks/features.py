"""The step that decides what is done to each column."""

from prefect import task

from penstock.search import steps
from tasks._publish import publish

plan = task(on_completion=[publish])(steps.plan)
