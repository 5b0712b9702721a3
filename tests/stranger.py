"""Somebody from outside, who has the command line and HTTP, and nothing else."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import yaml

from tests.conftest import free_ports

COMMAND = Path(sys.executable).parent / "penstock"
BLOCKED, TRAININGS = 3, {"run", "train", "resume"}  # a training that is refused says so as a decision, too
REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"


def check_shape(body: object, file: str, name: str) -> None:
    """Hold an answer against the documented schema."""
    schemas = json.loads((REFERENCE / file).read_text())["$defs"]
    jsonschema.validate(body, schemas[name])


def command_of(arguments: tuple[object, ...]) -> str:
    """Return the name under which a command's answer is documented."""
    words = [str(each) for each in arguments]
    if "--incident" in words:
        return "audit --incident"
    return " ".join(words[:2]) if words[0] in {"keys", "quarantine", "demo"} else words[0]


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object on standard output."""
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


@dataclass
class Stranger:
    """Somebody in a folder with the `penstock` command and HTTP, and nothing else."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: object) -> "subprocess.Popen[str]":
        """Start a command."""
        return subprocess.Popen(
            [str(COMMAND), *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def penstock(self, *arguments: object) -> Said:
        """Run a command to its end."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=600)
        return Said(process.returncode, out, err)

    def answer(self, *arguments: object) -> dict[str, Any]:
        """Run a command that must end well, and return its JSON."""
        said = self.penstock(*arguments, "--json")
        assert said.code == 0, f"penstock {arguments} ended with {said.code}:\n{said.out[-2000:]}\n{said.err[-4000:]}"
        check_shape(said.body, "commands.json", command_of(arguments))
        return said.body

    def refuse(self, code: int, *arguments: object) -> str:
        """Run a command that must end with a code and an error in the documented form; return its message."""
        said = self.penstock(*arguments, "--json")
        assert said.code == code, (
            f"penstock {arguments} ended with {said.code}:\n{said.out[-2000:]}\n{said.err[-4000:]}"
        )
        check_shape(said.body, "commands.json", "error")
        assert ("decision" in said.body) == (code == BLOCKED and arguments[0] in TRAININGS)
        assert "Traceback" not in said.out + said.err
        message: str = said.body["error"]["message"]
        return message


def ask(
    url: str, body: object = None, key: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Ask over HTTP; return the status and the JSON of the answer."""
    data = None if body is None else json.dumps(body).encode()
    given = {"Content-Type": "application/json", **(headers or {})}
    if key is not None:
        given["Authorization"] = f"Bearer {key}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, given), timeout=30) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame as JSON rows."""
    rows: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", date_format="iso"))
    return rows


def make_stranger(folder: Path) -> Stranger:
    """Return somebody in an empty folder, with a workspace and ports of their own."""
    ports = free_ports()
    return Stranger(
        folder,
        {
            "PENSTOCK_HOME": str(folder / "workspace"),
            "PENSTOCK_PREFECT_PORT": str(ports.prefect),
            "PENSTOCK_MLFLOW_PORT": str(ports.mlflow),
            "PENSTOCK_SERVING_PORT": str(ports.serving),
            "PENSTOCK_CONSOLE_PORT": str(ports.console),
        },
    )


def make_quick(stranger: Stranger, name: str) -> None:
    """Let a project search one simple family for three trials: for scenarios in which the model is not what is tried.

    A search that is bounded by trials finds the same on a busy machine.
    """
    path = stranger.folder / "projects" / f"{name}.yaml"
    spec = yaml.safe_load(path.read_text())
    spec["families"] = {"include": ["baseline", "linear"]}
    spec["budget"] = {"seconds": 30, "trials": 3}
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
