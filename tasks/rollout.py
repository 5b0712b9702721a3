"""Steps from a decision to traffic."""

from prefect import task

from penstock.rollout import aliases, held, history, release
from tasks._publish import publish, worth_retrying

find_champion = task()(history.find_champion)
open_release = task(on_completion=[publish])(release.open_release)
release_version = task(on_completion=[publish])(release.release_version)
write_alias = task(retries=5, retry_delay_seconds=2, retry_condition_fn=worth_retrying)(aliases.write_alias)
keep_held = task()(held.keep_held)
find_held = task()(held.find_held)
find_rival = task()(held.find_rival)
