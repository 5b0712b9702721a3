"""Where the demo plays: its folder, its commands and addresses, and the clock of its scenes."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.demo.rentals import PROJECT
from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError, SpecError
from penstock.store.records import list_projects
from penstock.store.workspace import make_folders

MARK = ".penstock-demo"  # lies in a folder that a demo may clear
MOST_SHOWN = 500  # letters of what a command printed

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """The folder, the variables of commands, how it tells, and the seconds of each scene."""

    folder: Path
    environment: Mapping[str, str]
    tell: Tell
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def prefect(self) -> str:
        """The address of Prefect's page."""
        return self._address("PREFECT")

    @property
    def mlflow(self) -> str:
        """The address of MLflow's page."""
        return self._address("MLFLOW")

    @property
    def serving(self) -> str:
        """The address of the inference service."""
        return self._address("SERVING")

    def _address(self, part: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'PENSTOCK_{part}_PORT']}"

    @contextmanager
    def scene(self, name: str) -> Iterator[None]:
        """Time a scene, and say its name."""
        began = time.perf_counter()
        self.tell(f"\n--- {name} " + "-" * max(3, 100 - len(name)))
        yield
        self.seconds[name] = round(time.perf_counter() - began, 2)
        self.tell(f"{'':92}{self.seconds[name]:7.1f} s")


def is_own(folder: Path, workspace: Workspace) -> bool:
    """Return whether the workspace is the demo's own, in its folder, and not one that the user named.

    Raises
    ------
    SpecError
        If it would be, but somebody else's workspace or project files lie there.
    """
    if workspace.home != folder.resolve() / ".penstock":
        return False
    theirs = [path for path in (workspace.home, folder / "projects") if path.exists()]
    if theirs and not (folder / MARK).exists():
        raise SpecError(
            f"The demo needs a folder of its own, for it clears it, but {theirs[0]} is there and no demo made it. "
            "Name another folder with --folder."
        )
    return True


def make_room(folder: Path, workspace: Workspace) -> None:
    """Clear the demo's own folder of an earlier play, whose stack has ended, and make the workspace's folders.

    Raises
    ------
    SpecError
        If the workspace is one that the user named, and an earlier play is in it; or see `is_own`.
    """
    if is_own(folder, workspace):
        (folder / MARK).touch()
        for path in (workspace.home, folder / "projects"):
            if path.exists():
                shutil.rmtree(path)
    elif (workspace.home / "penstock.db").exists() and PROJECT in list_projects(workspace):
        raise SpecError(
            f"The demo needs a workspace without the project {PROJECT!r}, but {workspace.home} has it. Leave out "
            "PENSTOCK_HOME: the demo then has a workspace of its own."
        )
    make_folders(workspace)


def command(stage: Stage, *arguments: str) -> str:
    """Run a command that must end well, say it, and return what it printed.

    Raises
    ------
    PenstockError
        If it ends with another code than 0.
    """
    stage.tell(f"$ penstock {' '.join(arguments)}")
    return _ended_well(arguments, *run(stage, *arguments))


def answer(stage: Stage, *arguments: str) -> dict[str, Any]:
    """Run a command that must end well, say it, and return its JSON."""
    stage.tell(f"$ penstock {' '.join(arguments)}")
    body: dict[str, Any] = json.loads(_ended_well(arguments, *run(stage, *arguments, "--json")))
    return body


def run(stage: Stage, *arguments: str) -> tuple[int, str]:
    """Run a command; return its exit code and what it printed on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli.main", *arguments],
        cwd=stage.folder,
        env=dict(stage.environment),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def _ended_well(arguments: tuple[str, ...], code: int, said: str) -> str:
    if code != 0:
        raise PenstockError(
            f"`penstock {' '.join(arguments)}` must end well, but ended with code {code}: {said[-MOST_SHOWN:]}"
        )
    return said
