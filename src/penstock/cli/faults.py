"""What ends a command though nobody raised it on purpose: a fault of ours, whose traceback is kept, and Ctrl-C."""

import os
import re
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from penstock.errors import PenstockError
from penstock.store.workspace import home_folder

LOG = "faults.log"
PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@/\s]+(?=@)")  # in an address such as postgresql://user:password@host/name


class InternalFault(PenstockError):
    """Something that nobody foresaw; its traceback is kept in a file."""

    exit_code: ClassVar[int] = 1


class Interrupted(PenstockError):
    """The user pressed Ctrl-C."""

    exit_code: ClassVar[int] = 130


def fault_of(error: Exception) -> InternalFault:
    """Return what people and programs are told of an error that nobody foresaw, its traceback kept.

    It goes to the end of `logs/faults.log` of the workspace, or to a temporary file where there is no workspace.
    """
    trace = _without_passwords("".join(traceback.format_exception(error)))
    kind, said = type(error).__name__, _without_passwords(str(error)).strip()
    shown = f"{kind}: {said.splitlines()[0].rstrip('.')}" if said else kind
    try:
        where = _keep(trace)
    except OSError as full:
        reason = f"Its traceback cannot be kept ({full.strerror}):\n{trace}"
        return InternalFault(f"Penstock failed, and not by what was asked of it: {shown}. {reason}")
    return InternalFault(
        f"Penstock failed, and not by what was asked of it: {shown}. The traceback is in {where}.",
        [{"exception": kind, "traceback": str(where)}],
    )


def _keep(trace: str) -> Path:
    logs = home_folder() / "logs"
    if logs.is_dir():
        file = os.open(logs / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        where = logs / LOG
    else:
        file, name = tempfile.mkstemp(prefix="penstock-fault-", suffix=".log")
        where = Path(name)
    with os.fdopen(file, "w", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{datetime.now(UTC).isoformat()}\n{trace}\n")
    return where


def _without_passwords(text: str) -> str:
    return PASSWORD.sub(r"\1***", text)
