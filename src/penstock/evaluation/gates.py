"""Properties of one version that must hold before it may answer."""

from typing import Any

from penstock.domain.evaluation import Evaluation, Gate
from penstock.domain.models import Bundle, Package, Signature
from penstock.domain.workspace import Workspace
from penstock.errors import SpecError
from penstock.evaluation.answers import read_answers
from penstock.evaluation.cases import failing_cases, read_cases
from penstock.evaluation.fairness import Gap, find_gap
from penstock.evaluation.metrics import chosen
from penstock.evaluation.wording import count, figure, listed, title
from penstock.spec import Fairness, ProjectSpec
from penstock.store import frames


def check_gates(
    bundle: Bundle, package: Package | None, evaluation: Evaluation, spec: ProjectSpec, workspace: Workspace
) -> tuple[Gate, ...]:
    """Check every gate of a version: certificate, smoke test, baseline, cases, fairness and limits.

    Parameters
    ----------
    bundle
        The files that serve the version, measured.
    package
        Its Bento with the smoke test, or None if none was built: the gate then does not hold.
    evaluation
        How it did on the holdout.
    spec
        The project: its `gates` and `limits`.
    workspace
        Where the model and the predictions are kept.

    Returns
    -------
    tuple[Gate, ...]
        Every gate with a sentence; those of cases, fairness and limits only where the project asks for them.

    Raises
    ------
    SpecError
        If a case file or a fairness group does not fit the data.
    """
    gates = [_certificate(bundle), _smoke(package), _baseline(evaluation)]
    if spec.gates.cases:
        gates.append(_cases(spec.gates.cases, bundle, spec, workspace))
    if spec.gates.fairness:
        gates.append(_fairness(spec.gates.fairness, bundle, evaluation, spec, workspace))
    return (*gates, *limit_gates(bundle, spec))


def _certificate(bundle: Bundle) -> Gate:
    certificate = bundle.certificate
    found = (
        f"{count(certificate.rows, 'row')} compared: largest difference {figure(certificate.largest_difference, 2)} "
        f"(at most {figure(certificate.tolerance, 2)}), {count(certificate.label_flips, 'label')} different "
        f"(at most {certificate.allowed_flips:,})."
    )
    return Gate("certificate", certificate.held, found)


def _smoke(package: Package | None) -> Gate:
    if package is None:
        return Gate("smoke test", False, "No Bento was built, so none was tried.")
    said = f" {package.detail}" if package.detail else ""
    return Gate("smoke test", package.smoke == "passed", f"The Bento {package.tag} {package.smoke} its test.{said}")


def _baseline(evaluation: Evaluation) -> Gate:
    score, base = evaluation.score, evaluation.baseline
    found = (
        f"{title(score.metric)} {figure(score.value)} beside the baseline's {figure(base.value)}; "
        f"lower bound of the gain {figure(evaluation.gain_low, 3)}, which must be above 0."
    )
    return Gate("beats baseline", evaluation.gain_low > 0, found)


def limit_gates(bundle: Bundle, spec: ProjectSpec) -> tuple[Gate, ...]:
    """Return a gate for each hard limit, by what was measured on the bundle."""
    found = {
        "size_mb": (bundle.size_mb, "MB"),
        "latency_ms": (bundle.latency_ms, "ms a row"),
        "parameters": (bundle.parameters, "parameters"),
        "flops": (bundle.flops, "operations a row"),
    }
    gates = []
    for name, (value, unit) in found.items():
        limit = getattr(spec.limits, name)
        if limit is not None:
            words = f"measured {figure(float(value), 3)} {unit}, at most {figure(float(limit), 3)} allowed."
            gates.append(Gate(f"limit {name}", value <= limit, words))
    return tuple(gates)


def _cases(path: str, bundle: Bundle, spec: ProjectSpec, workspace: Workspace) -> Gate:
    model = frames.load_model(bundle.model, workspace)
    rows, expected = read_cases(spec.folder / path, model.signature.decoding, model.signature.problem)
    failing = failing_cases(rows, expected, model.predict, model.signature)
    if failing:
        return Gate("cases", False, f"{len(failing)} of {count(len(rows), 'case')} failed: {listed(failing, 3)}")
    return Gate("cases", True, f"All {count(len(rows), 'case')} passed.")


def _fairness(
    wanted: Fairness, bundle: Bundle, evaluation: Evaluation, spec: ProjectSpec, workspace: Workspace
) -> Gate:
    name = f"fairness {wanted.group}"
    signature: Signature = frames.load_model(bundle.model, workspace).signature
    if signature.problem == "regression":
        return Gate(name, True, "Rates by group are defined for classifiers only.", judged=False)
    if evaluation.side != "holdout":
        return Gate(name, True, "Not judged: no rows are held out.", judged=False)
    answers = read_answers(evaluation.predictions, signature, spec, workspace)
    groups = _groups(wanted.group, evaluation.dataset, answers.row, workspace)
    called = chosen(answers.predictions, answers.choosing)
    return _fairness_gate(name, wanted, find_gap(wanted.metric, answers.target, called, groups, wanted.max_gap))


def _groups(column: str, dataset: str, rows: Any, workspace: Workspace) -> Any:
    table = frames.load_table(dataset, workspace)
    if column not in table:
        raise SpecError(
            f"`gates.fairness.group` must be a column of the data, but is {column!r}. There are: "
            f"{', '.join(map(str, table.columns))}."
        )
    values = table[column].iloc[rows].astype(object)
    return values.where(values.notna(), "missing").map(str).to_numpy(dtype=object).astype(str)


def _fairness_gate(name: str, wanted: Fairness, found: Gap) -> Gate:
    metric = wanted.metric.replace("_", " ")
    rates = listed([f"{group} {rate:.3f} ({rows:,} rows)" for group, rate, rows in found.rates], 6)
    small = [f"{group} ({count(rows, 'row')})" for group, rows in found.too_small]
    left_out = f" Not enough rows to judge: {listed(small)}." if small else ""
    if found.gap is None:
        return Gate(name, True, f"The gap in {metric} was not judged.{left_out}", judged=False)
    words = f"{metric} by group: {rates}; gap {found.gap:.3f}, at most {wanted.max_gap:g} allowed.{left_out}"
    return Gate(name, found.gap <= wanted.max_gap, words[0].upper() + words[1:])
