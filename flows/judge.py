"""Judge a held challenger again, on more rows."""

from prefect import flow

from penstock.domain.evaluation import Decision, Held
from penstock.domain.models import ModelVersion
from penstock.domain.workspace import Workspace
from penstock.orchestration import runs
from penstock.spec import ProjectSpec
from penstock.store.projects import open_project
from penstock.store.workspace import find_workspace
from tasks import data, evaluation, rollout, serving


@flow(name="judge", flow_run_name="{project}")
def judge(project: str) -> Decision | None:
    """Hold the challenger that was held against the champion again, on every row that neither was fitted on."""
    workspace = find_workspace()
    with runs.claimed(workspace), runs.leased(f"train:{project}", workspace):
        spec = open_project(project, workspace)
        held = rollout.find_held(project, workspace)
        if held is None:
            runs.name_run(f"{project}: no challenger is held")
            return None
        decision = _judge(held, rollout.find_rival(held, workspace), spec, workspace)
        runs.name_run(f"{project} version {held.version}: {decision.verdict}")
        incident = evaluation.record_verdict(decision, runs.run_link(workspace), workspace)
        rollout.keep_held(decision, incident, workspace)
        if decision.verdict == "promote":
            rollout.write_alias(rollout.open_release(decision, spec, workspace), workspace)
    return decision


def _judge(held: Held, champion: ModelVersion, spec: ProjectSpec, workspace: Workspace) -> Decision:
    serving.seal(held.project, workspace)
    dataset = data.ingest(spec, workspace)
    spec = data.complete_spec(spec, dataset, workspace)
    change = data.check_contract(dataset, spec, workspace)
    report = data.validate(dataset, spec, False, workspace)
    data.admit(change, report)
    models = serving.compared_models(held, champion, workspace)
    split = data.split_unseen(report.accepted, models, spec, workspace)
    challenger = serving.stand_held(held, split, workspace)
    serves = serving.stand_champion(champion, split, workspace)
    return evaluation.judge(challenger, serves, split, spec, workspace)
