"""What a score means, in words that need no statistics; and what a report does not say."""

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Evaluation, Gate, Score
from penstock.domain.models import Signature
from penstock.evaluation.wording import count, figure, listed
from penstock.spec import ProjectSpec


def meaning(score: Score, signature: Signature) -> str:
    """Return what a score says about the answers of a model."""
    value = score.value
    positive = signature.classes[signature.positive] if signature.positive is not None else "one class"
    one_in = f"{100 * value:.0f} of 100"
    target = signature.target
    said = {
        "roc_auc": f"Of two rows, one {target} = {positive} and one not, it gives the right one the higher score in "
        f"{one_in} cases; a coin would in 50.",
        "average_precision": f"Going down its list from the most to the least likely, {one_in} rows are on average "
        f"truly {target} = {positive}.",
        "accuracy": f"It names the right {target} in {one_in} rows.",
        "f1": f"Of those it calls {positive} and those that are, {one_in} agree (F1).",
        "log_loss": f"It gives the true {target} a probability of {100 * 2.718281828**-value:.0f} % in the "
        "(geometric) middle.",
        "cost": f"What it calls each row costs {figure(value)} on average, by the costs in the project file.",
        "rmse": f"Its answers are off by about {figure(value, 3)} in {target} (root mean square: large errors count "
        "more).",
        "mae": f"Its answers are off by {figure(value, 3)} in {target} on average.",
        "r2": f"It explains {100 * value:.0f} % of the variation of {target}.",
    }
    return said[score.metric]


def not_checked(spec: ProjectSpec, split: Split, evaluation: Evaluation, gates: tuple[Gate, ...]) -> tuple[str, ...]:
    """Return what nobody looked at, so that a reader does not take silence for a pass."""
    found = []
    if evaluation.side != "holdout":
        found.append("No rows were held out: the score is out-of-fold, from the very rows that chose the model.")
    if not split.time_ordered:
        found.append(
            "Whether it lasts: without a time column the held-out rows come from the same period as the training rows."
        )
    if spec.id is None and not split.grouped:
        found.append("Whether rows of one person or thing stand on both sides of the split: there is no id column.")
    if spec.gates.fairness is None:
        groups = f" Columns marked sensitive: {listed(spec.columns.sensitive)}." if spec.columns.sensitive else ""
        found.append(f"Whether groups are treated alike: the project file names no `gates.fairness`.{groups}")
    if spec.gates.cases is None:
        found.append("Cases that must come out right: the project file names none (`gates.cases`).")
    if not any(spec.limits.model_dump().values()):
        found.append("Speed and size were measured, but no limit was set for them (`limits`).")
    if spec.costs is None and evaluation.confusion:
        found.append("What each kind of mistake costs: the project file names no `costs`, so all count alike.")
    found += [f"{gate.name}: {gate.detail}" for gate in gates if not gate.judged]
    found.append("Slices were looked for in one column at a time; a combination of two may still hide a weakness.")
    found.append("Importance says what the model uses, not what causes the target.")
    return tuple(found)


def verdict_words(verdict: str | None) -> tuple[str, str]:
    """Return the word for a verdict, and its tone (good, calm or bad)."""
    words = {"promote": ("Promoted", "good"), "hold": ("Held", "calm"), "block": ("Blocked", "bad")}
    return words.get(verdict or "", ("Not judged yet", "calm"))


def side_words(evaluation: Evaluation) -> str:
    """Return which rows a score stands on."""
    rows = count(evaluation.score.rows, "row")
    if evaluation.side == "holdout":
        return f"{rows} that nothing was fitted or tuned on"
    return f"{rows}, each answered by models that did not train on it"
