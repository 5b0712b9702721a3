"""Steps from a source to a validated, split dataset version."""

from prefect import task

from penstock.data import contract, ingestion, leaks, splitting, training, validation
from penstock.data.drafts import drafting
from tasks._publish import publish, worth_retrying

ingest = task(retries=2, retry_delay_seconds=1, retry_condition_fn=worth_retrying, on_completion=[publish])(
    ingestion.ingest
)
ingest_for = task(retries=2, retry_delay_seconds=1, retry_condition_fn=worth_retrying, on_completion=[publish])(
    training.ingest_for
)
complete_spec = task()(drafting.complete_spec)
check_contract = task(on_completion=[publish])(contract.check_contract)
validate = task(on_completion=[publish])(validation.validate)
admit = task()(validation.admit)
begin_training = task()(training.begin_training)
end_training = task()(training.end_training)
split = task()(splitting.split)
split_unseen = task()(splitting.split_unseen)
find_leaks = task()(leaks.find_leaks)
