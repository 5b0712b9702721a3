"""A Bento of a version, built and asked by BentoML itself."""

import json
from pathlib import Path

from penstock.domain.models import Bundle, Certificate, ModelVersion
from penstock.domain.workspace import Workspace
from penstock.serving.packaging import package
from penstock.spec import ProjectSpec, Source
from penstock.store import artifacts
from tests.unit.serving.stand_in import keep_version

SPEC = ProjectSpec(name="churn", source=Source(kind="csv_file", path="x.csv"), target="churned")


def bundle_of(version: ModelVersion) -> Bundle:
    certificate = Certificate(1, 0.0, 1e-3, 0, 0, held=True)
    return Bundle("churn", version.bundle, version.model, certificate, 0.1, 0.1, 3)


def test_a_package_is_the_same_when_it_is_made_again_after_a_kill(workspace: Workspace, tmp_path: Path) -> None:
    version = keep_version("1", workspace, tmp_path / "1")
    first = package(version, bundle_of(version), SPEC, workspace)
    assert (first.smoke, first.tag) == ("passed", "churn:1")
    half = workspace.home / "packages" / "churn-1" / "context"
    half.mkdir(parents=True)
    (half / "service.py").write_text("what a killed packaging left")
    again = package(version, bundle_of(version), SPEC, workspace)
    assert again.digest == first.digest
    assert not list((workspace.home / "packages").iterdir())

    bento = artifacts.local_folder(first.digest, workspace)
    assert "name: churn" in (bento / "bento.yaml").read_text()
    assert json.loads((bento / "src" / "bundle" / "version.json").read_text()) == {"project": "churn", "version": "1"}
    assert {file.name for file in (bento / "src" / "bundle").iterdir()} >= {
        "graph.onnx", "signature.json", "schema.json", "certificate.json", "examples.json",
    }  # fmt: skip
    carried = {str(file.relative_to(bento / "src")) for file in (bento / "src").rglob("*.py")}
    assert {"service.py", "penstock/data/decoding.py", "penstock/serving/session.py"} <= carried
    assert "penstock/serving/service.py" not in carried
    assert "bentoml==" in (bento / "env" / "python" / "requirements.txt").read_text()


def test_a_bundle_that_answers_otherwise_than_its_examples_fails(workspace: Workspace, tmp_path: Path) -> None:
    version = keep_version("1", workspace, tmp_path / "1")
    examples = tmp_path / "1" / "examples.json"
    told = json.loads(examples.read_text())
    told["predictions"][0]["score"] += 0.001
    examples.write_text(json.dumps(told))
    other = artifacts.put_folder(tmp_path / "1", workspace)
    made = package(version, Bundle("churn", other, "m", bundle_of(version).certificate, 0.1, 0.1, 3), SPEC, workspace)
    assert made.smoke == "failed"
    assert made.detail.startswith("Example 0 must be answered")
