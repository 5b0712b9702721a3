"""A Bento of a version: its bundle with the code that serves it, asked its examples before it may be released."""

import ast
import importlib.metadata
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

import penstock
from penstock.domain.models import Bundle, ModelVersion, Package
from penstock.domain.workspace import Workspace
from penstock.errors import ModelError
from penstock.serving.packages.smoke import SMOKE_KEY
from penstock.serving.packages.standalone import VERSION, Served
from penstock.spec import ProjectSpec
from penstock.store import artifacts
from penstock.store.workspace import inherited_environment

PATIENCE_SECONDS = 120
LIBRARIES = ("bentoml", "msgspec", "numpy", "onnxruntime", "prometheus-client")
ROOTS = ("penstock.serving.packages.standalone", "penstock.serving.http.front", "penstock.serving.packages.smoke")

# Run in a process of its own, which loads nothing of the workshop: it builds, forgets the code that it built from, and
# asks the code that the Bento carries. One process for both, since to load BentoML is nearly all that either costs.
SCRIPT = """
import json, runpy, sys, bentoml
built = bentoml.build("service:Inference", **json.load(sys.stdin))
print(built.path, flush=True)
for name in [name for name in sys.modules if name.partition(".")[0] in ("service", "penstock")]:
    del sys.modules[name]
sys.path.insert(0, str(built.path_of("src")))
runpy.run_module("penstock.serving.packages.smoke", run_name="__main__")
"""

SERVICE = '''\
"""Serves version {version} of {project}: ``bentoml serve`` in this folder, with a key in PENSTOCK_API_KEY."""

from pathlib import Path

import bentoml
from penstock.serving.http.front import FastPath
from penstock.serving.packages.standalone import open_application


@bentoml.service(
    name="inference",
    workers=1,
    traffic={{"timeout": 60}},
    logging={{"access": {{"enabled": False}}}},
    metrics={{"enabled": False}},
    tracing={{"excluded_urls": ".*"}},
)
class Inference:
    """Answers for one version of one project."""

    @bentoml.on_startup
    def start(self):
        """Load the bundle, and then answer."""
        FastPath.application = open_application(Path(__file__).resolve().parent / "bundle")


Inference.add_asgi_middleware(FastPath)
'''


def package(version: ModelVersion, bundle: Bundle, spec: ProjectSpec, workspace: Workspace) -> Package:
    """Make a Bento of a version, and ask it the bundle's examples in a process of its own.

    Parameters
    ----------
    version
        The registered version, which names the Bento.
    bundle
        Its bundle.
    spec
        The project.
    workspace
        Where the Bento is built and kept.

    Returns
    -------
    Package
        With the tag `<project>:<version>`, the digest of the Bento's folder, and whether its answers were those of the
        bundle's examples. The same version and bundle give the same digest.

    Raises
    ------
    ModelError
        If the Bento cannot be built.
    """
    began = time.perf_counter()
    place = workspace.home / "packages" / f"{spec.name}-{version.version}"
    shutil.rmtree(place, ignore_errors=True)  # what a killed packaging left
    _lay_out(place / "context", version, artifacts.local_folder(bundle.digest, workspace))
    bento, wrong = _build(place, version, workspace)
    digest = artifacts.put_folder(bento, workspace)
    shutil.rmtree(place)
    return Package(
        project=spec.name,
        version=version.version,
        tag=f"{spec.name}:{version.version}",
        digest=digest,
        smoke="failed" if wrong else "passed",
        detail=wrong or "It answered its examples as the bundle did.",
        seconds=time.perf_counter() - began,
    )


def modules_behind(roots: tuple[str, ...]) -> dict[str, Path]:
    """Return every module of ours that some modules import, the packages above them too, with their files.

    Parameters
    ----------
    roots
        Dotted names of modules.

    Returns
    -------
    dict
        The path inside the package's parent folder, and the file.
    """
    source = Path(penstock.__file__).resolve().parents[1]
    found: dict[str, Path] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        place = source.joinpath(*name.split("."))
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        inside = str(file.relative_to(source))
        if inside in found or not file.is_file():
            continue
        found[inside] = file
        waiting += _imported(file) | {name.rpartition(".")[0]} - {""}
    return found


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "penstock"}


def _lay_out(context: Path, version: ModelVersion, bundle: Path) -> None:
    """Write what the Bento is built from: code, bundle, and which version it is."""
    shutil.copytree(bundle, context / "bundle")
    (context / "bundle" / VERSION).write_bytes(msgspec.json.encode(Served(version.project, version.version)))
    (context / "service.py").write_text(SERVICE.format(version=version.version, project=version.project))
    for inside, file in modules_behind(ROOTS).items():
        target = context / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _build(place: Path, version: ModelVersion, workspace: Workspace) -> tuple[Path, str]:
    """Build a Bento and ask it its examples; return its folder and what is wrong, "" if nothing is."""
    home = place / "home"
    home.mkdir()
    variables = {
        **inherited_environment(workspace),
        "BENTOML_HOME": str(home),
        "PENSTOCK_HOME": str(home),
        "PENSTOCK_API_KEY": SMOKE_KEY,
        "PYTHONPATH": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(_request(place / "context", version)),
        env=variables,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    said = done.stdout.splitlines()
    if not said:
        raise ModelError(f"The Bento of {version.project}:{version.version} cannot be built: {done.stderr[-1000:]}")
    bento = Path(said[0])
    _settle(bento, version)
    try:
        return bento, str(json.loads(said[-1])["detail"])
    except (ValueError, KeyError):
        return bento, f"It ended with {done.returncode}: {done.stderr[-1000:]}"


def _request(context: Path, version: ModelVersion) -> dict[str, Any]:
    libraries = [f"{name}=={importlib.metadata.version(name)}" for name in LIBRARIES]
    return {
        "name": version.project,
        "version": version.version,
        "build_ctx": str(context),
        "description": f"# {version.project}:{version.version}\n\nA version and the code that serves it.",
        "labels": {"project": version.project, "version": version.version, "training": version.training},
        "python": {"packages": libraries, "lock_packages": False},
        "docker": {"python_version": f"{sys.version_info.major}.{sys.version_info.minor}"},
    }


def _settle(bento: Path, version: ModelVersion) -> None:
    """Take the moment of the build out of the Bento, so that a repeated build is the same one."""
    manifest = bento / "bento.yaml"
    lines = manifest.read_text().splitlines()
    moment = f"creation_time: '{version.created_at.isoformat()}'"
    manifest.write_text("\n".join(moment if line.startswith("creation_time:") else line for line in lines) + "\n")
