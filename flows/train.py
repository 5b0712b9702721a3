"""From a source to a judged and, if it is better, released version."""

from prefect import flow

from penstock.domain.evaluation import Decision
from penstock.domain.models import ModelVersion
from penstock.domain.outcomes import Asked, Outcome, Trained
from penstock.domain.releases import Release, Training
from penstock.domain.workspace import Workspace
from penstock.orchestration import decisions, runs
from penstock.orchestration.stages import Stages
from penstock.spec import ProjectSpec
from penstock.store.projects import open_project
from penstock.store.workspace import find_workspace
from tasks import data, evaluation, features, rollout, search, serving


@flow(name="train", flow_run_name="{project}")
def train(  # noqa: PLR0913, PLR0917  what a person, a schedule or an event may say of a training
    project: str,
    seconds: float | None = None,
    quarantine: bool = False,
    release: bool = True,
    decision: str | None = None,
    resume: bool = False,
) -> Outcome:
    """Search every family, hold the best against the champion, and release it if it wins.

    With the id of a monitor's decision it is done once: a flow run that finds another one at it is merged into that.
    With `resume` it goes on with the training that was stopped, on the rows that one was begun with.
    """
    workspace = find_workspace()
    with runs.claimed(workspace):
        if said := decisions.claim(decision, project, workspace):
            return _merged(said, project)
        with decisions.answering(decision, project, workspace), runs.leased(f"train:{project}", workspace):
            if said := decisions.done_before(decision, workspace):
                return _merged(said, project)
            spec = open_project(project, workspace, seconds)
            return _train(spec, Asked(quarantine, release, resume, decision), workspace)


def _merged(said: str, project: str) -> Outcome:
    state: Outcome = decisions.merged(said, project)  # Prefect takes a state that a flow returns as the run's own
    return state


def _train(spec: ProjectSpec, asked: Asked, workspace: Workspace) -> Outcome:
    stage = Stages()
    trained, spec = _fit(spec, asked, stage, workspace)
    decision, version, page, closing = _judge(trained, spec, stage, workspace)
    moved = _release(decision, spec, stage, workspace) if asked.release else None
    data.end_training(trained.training, workspace)
    return Outcome(
        project=spec.name,
        version=version.version,
        decision=decision,
        score=trained.evaluation.score,
        finished=trained.result.finished,
        skipped=trained.result.skipped,
        report=page,
        closing=closing,
        left_out=tuple(leak.message for leak in trained.leaks if leak.level == "warning"),
        release=moved,
        seconds=stage.ended(),
    )


def _fit(spec: ProjectSpec, asked: Asked, stage: Stages, workspace: Workspace) -> tuple[Trained, ProjectSpec]:
    incident = asked.incident
    with stage("ingest"):
        serving.seal(spec.name, workspace)
        dataset = data.ingest_for(incident, asked.resume, spec, workspace)
        spec = data.complete_spec(spec, dataset, workspace)
    with stage("validate"):
        change = data.check_contract(dataset, spec, workspace)
        report = data.validate(dataset, spec, asked.quarantine, workspace)
        data.admit(change, report)
    training: Training = data.begin_training(report, spec, incident, workspace)
    decisions.name_of_training(incident, training.id, workspace)
    runs.name_run(f"{spec.name} dataset {report.accepted.number}")
    with stage("plan"):
        champion = rollout.find_champion(spec.name, training, workspace)
        split = data.split(report.accepted, champion, spec, workspace)
        leaks = data.find_leaks(report.accepted, split, spec, workspace)
        plan = features.plan(split, leaks, spec, workspace)
    with stage("search"):
        result = search.search(training, split, plan, spec, workspace)
        model = search.fit(training, result, split, spec, workspace)
    with stage("bundle"), decisions.ending_unservable(training, workspace):
        bundle = serving.bundle(model, split, spec, workspace)
    with stage("evaluate"):
        answers = serving.answer(bundle, split, "holdout", workspace)
        evaluated = evaluation.evaluate(answers, model, split, spec, workspace)
        explained = evaluation.explain(model, evaluated, split, spec, workspace)
    return Trained(training, report, leaks, split, plan, result, model, bundle, answers, evaluated, explained), spec


def _judge(
    trained: Trained, spec: ProjectSpec, stage: Stages, workspace: Workspace
) -> tuple[Decision, ModelVersion, str, tuple[str, ...]]:
    with stage("register"):
        version = serving.register(trained, spec, runs.run_link(workspace), workspace)
    with stage("package"):
        package = serving.package(version, trained.bundle, spec, workspace)
    with stage("judge"):
        gates = evaluation.check_gates(trained.bundle, package, trained.evaluation, spec, workspace)
        serving.tag_gates(version, package, gates, workspace)
        challenger = serving.stand(version, trained, gates, workspace)
        serves = rollout.find_champion(spec.name, trained.training, workspace)
        champion = serving.stand_champion(serves, trained.split, workspace)
        decision = evaluation.judge(challenger, champion, trained.split, spec, workspace)
        incident = evaluation.record_verdict(decision, runs.run_link(workspace), workspace)
        rollout.keep_held(decision, incident, workspace)
    with stage("report"):
        shown = evaluation.gather(trained, package, decision, stage.seconds)
        page = evaluation.write_report(shown, spec, workspace)
        serving.attach_report(version, page, workspace)
    return decision, version, page, shown.explanation.closing


def _release(decision: Decision, spec: ProjectSpec, stage: Stages, workspace: Workspace) -> Release | None:
    if decision.verdict != "promote":
        return None
    with stage("release"):
        opened = rollout.open_release(decision, spec, workspace)
        return rollout.write_alias(opened, workspace)
