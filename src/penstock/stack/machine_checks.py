"""What the doctor looks at on the machine: Python, libraries, disk, memory, cores, GPUs, ports."""

import re
import shutil
import sys
from importlib.metadata import version

from penstock.domain.search import Budget
from penstock.domain.workspace import Workspace
from penstock.orchestration.processes import own_processes
from penstock.search.placement import cut, inventory
from penstock.stack.checks import Check, judged
from penstock.stack.parts import PARTS, port_of, variable_of
from penstock.stack.ports import port_owner
from penstock.store.workspace import visible_gpus

SUPPORTED = ((3, 11), (3, 14))  # from, below
LEAST_DISK_GB = 5.0
LEAST_MEMORY_MB = 3000  # the stack holds 1.2 GB, a slot half of one
# Library, least version, version from which it breaks, and what then happens.
KNOWN_TRAPS = (
    ("sqlalchemy", (2, 0), (2, 1), "Prefect's scheduler makes no flow run"),
    ("fastapi", (0, 139), (0, 151), "Prefect's client is refused"),
    ("pandas", (3, 0), (3, 1), "Evidently does not import"),
    ("prefect", (3, 8), (3, 9), "its server was tried with 3.8.8 only"),
)


def machine_checks(workspace: Workspace) -> list[Check]:
    """Return what the machine offers, and what it lacks."""
    return [
        _python(),
        *(_library(*trap) for trap in KNOWN_TRAPS),
        _bytecode(),
        _disk(workspace),
        *_capacity(),
        *_ports(workspace),
    ]


def _python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    good = SUPPORTED[0] <= sys.version_info[:2] < SUPPORTED[1]
    return judged("python", found, good=good, advice="Use Python 3.11, 3.12 or 3.13.", otherwise="failed")


def numbers_of(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version.

    >>> numbers_of("2.0.58"), numbers_of("3.1rc1")
    ((2, 0), (3, 1))
    """
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _library(name: str, least: tuple[int, ...], below: tuple[int, ...], harm: str) -> Check:
    found = version(name)
    wanted = f"{_dotted(least)} or later, below {_dotted(below)}"
    return judged(
        f"library {name}",
        found,
        good=least <= numbers_of(found) < below,
        advice=f"Install {name} {wanted}, otherwise {harm}.",
        otherwise="failed",
    )


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)


def _bytecode() -> Check:
    found = "not written" if sys.dont_write_bytecode else "written"
    advice = "Unset PYTHONDONTWRITEBYTECODE: every process compiles every library again, which costs seconds."
    return judged("bytecode", found, good=not sys.dont_write_bytecode, advice=advice)


def _disk(workspace: Workspace) -> Check:
    folder = next(each for each in (workspace.home, *workspace.home.parents) if each.exists())
    free = shutil.disk_usage(folder).free / 1e9
    advice = f"Free at least {LEAST_DISK_GB:.0f} GB on the disk of {folder}, or move PENSTOCK_HOME."
    return judged("disk", f"{free:.1f} GB free", good=free >= LEAST_DISK_GB, advice=advice)


def _capacity() -> list[Check]:
    machine = inventory(visible_gpus())
    slots = cut(machine, Budget(0.0))
    gpus = ", ".join(f"{name} with {free} MB free" for _, name, free in machine.gpus) or "none"
    return [
        judged("cores", f"{machine.cores:g}", good=machine.cores >= 2, advice="Two cores are the least to be quick."),  # noqa: PLR2004
        judged(
            "memory",
            f"{machine.memory_mb} MB free",
            good=machine.memory_mb >= LEAST_MEMORY_MB,
            advice=f"The stack and one search want {LEAST_MEMORY_MB} MB: trials that do not fit are skipped.",
        ),
        Check("gpus", "ok", gpus),
        Check("slots", "ok", "; ".join([f"{len(slots)}: {slots[0].reason}", *machine.notes])),
    ]


def _ports(workspace: Workspace) -> list[Check]:
    mine = {process.pid for process in own_processes(workspace)}
    found = []
    for part in PARTS:
        port = port_of(part, workspace)
        if port is None:
            continue
        owner = port_owner(port)
        said = "free" if owner is None else ("ours" if owner.pid in mine else f"held by {owner}")
        advice = f"End that process, or set {variable_of(part)} to another port."
        found.append(judged(f"port {port} ({part.name})", said, good=said in {"free", "ours"}, advice=advice))
    return found
