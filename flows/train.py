"""From a source to a judged and, if it is better, released version."""

from prefect import flow

from penstock.domain.outcomes import Outcome
from penstock.orchestration import runs
from penstock.orchestration.stages import Stages
from penstock.store.projects import open_project
from penstock.store.trainings import end_training
from penstock.store.workspace import find_workspace
from tasks import data, evaluation, features, rollout, search, serving


@flow(name="train", flow_run_name="{project}")
def train(project: str, seconds: float | None = None, quarantine: bool = False, release: bool = True) -> Outcome:
    """Search every family, hold the best against the champion, and release it if it wins."""
    workspace = find_workspace()
    spec = open_project(project, workspace, seconds)
    stage = Stages()
    with runs.claimed(workspace), runs.training_lease(project, workspace):
        with stage("ingest"):
            dataset = data.ingest(spec, workspace)
            change = data.check_contract(dataset, spec, workspace)
        with stage("validate"):
            report = data.validate(dataset, spec, quarantine, workspace)
            data.admit(change, report)
        training = data.begin(report, spec, workspace)
        runs.name_run(project, report.accepted)
        with stage("plan"):
            champion = rollout.find_champion(project, workspace)
            split = data.split(report.accepted, champion, spec, workspace)
            leaks = data.find_leaks(report.accepted, split, spec, workspace)
            plan = features.plan(split, leaks, spec, workspace)
        with stage("search"):
            result = search.search(training, split, plan, spec, workspace)
            model = search.fit(training, result, split, spec, workspace)
        with stage("bundle"):
            bundle = serving.bundle(model, split, spec, workspace)
            answers = serving.answer(bundle, split, workspace)
        with stage("evaluate"):
            evaluated = evaluation.evaluate(answers, split, spec, workspace)
            explained = evaluation.explain(model, evaluated, split, spec, workspace)
    return Outcome(project=project)
