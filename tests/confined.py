"""A program in a memory group of its own, where one can be made; else watched, and ended when it holds more."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
WATCH_SECONDS = 0.1


@dataclass(slots=True)
class Confined:
    """What a program did within its limit: `by` says what held it there, `killed` whether it was ended for memory."""

    by: str
    code: int | None = None
    out: str = ""
    err: str = ""
    seconds: float = 0.0
    most_mb: int = 0
    killed: int = 0
    left: list[int] = field(default_factory=list)


def run_confined(command: list[str], environment: dict[str, str], limit_mb: int, seconds: float) -> Confined:
    """Run a program and its children within so many MB.

    Parameters
    ----------
    command, environment
        As `subprocess` takes them; the environment replaces this process's.
    limit_mb
        Of the program with all that it starts.
    seconds
        After which it is ended.

    Returns
    -------
    Confined
        With the processes that it left behind.
    """
    with memory_group(limit_mb) as group:
        if group is not None:
            command = ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "confined", *command]
        began = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        seen = Confined("a memory group of its own" if group else "a watcher of its processes: no group can be made")
        try:
            _watch(process, seen, limit_mb if group is None else None, began + seconds)
        finally:
            process.kill()
        seen.out, seen.err = process.communicate()
        seen.code, seen.seconds = process.returncode, time.monotonic() - began
        seen.left = _members(group) if group else []
        if group is not None:
            seen.killed = _ended_by_kernel(group)
    return seen


@contextlib.contextmanager
def memory_group(limit_mb: int) -> Iterator[Path | None]:
    """Make a group below this process's own with a limit of memory; None where that cannot be done."""
    folder, file = _place()
    made = folder / f"penstock-test-{os.getpid()}"
    try:
        made.mkdir()
        (made / file).write_text(str(limit_mb * 1024**2))
    except OSError:
        if made.is_dir():
            made.rmdir()
        yield None
        return
    try:
        yield made
    finally:
        for pid in _members(made):
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
        _remove(made)


def _place() -> tuple[Path, str]:
    """Return this process's own group of the memory controller, and the file that holds its limit."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _, controllers, path in lines:
        if "memory" in controllers.split(","):
            return GROUPS / "memory" / path.strip("/"), "memory.limit_in_bytes"
    own = next((path for number, _, path in lines if number == "0"), "/")
    return GROUPS / own.strip("/"), "memory.max"


def _watch(process: subprocess.Popen[str], seen: Confined, limit_mb: int | None, until: float) -> None:
    while process.poll() is None and time.monotonic() < until:
        seen.most_mb = max(seen.most_mb, _held_mb(process.pid))
        if limit_mb is not None and seen.most_mb > limit_mb:
            seen.killed += 1
            return
        time.sleep(WATCH_SECONDS)


def _held_mb(pid: int) -> int:
    """Return what a process and its children hold and share with no other, in MB."""
    held = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                memory = each.memory_info()
                held += memory.rss - memory.shared
    return held // 1024**2


def _members(group: Path) -> list[int]:
    return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]


def _ended_by_kernel(group: Path) -> int:
    """Return how many processes the kernel has ended in a group because its memory was full."""
    for name in ("memory.events", "memory.oom_control"):
        if (group / name).exists():
            figures = dict(line.split() for line in (group / name).read_text().splitlines())
            return int(figures["oom_kill"])
    return 0


def _remove(group: Path) -> None:
    until = time.monotonic() + 10
    while group.is_dir():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(WATCH_SECONDS)
