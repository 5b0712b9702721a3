"""One process a slot: it lives for the search, runs one job after the other, and dies with its parent.

Started as ``python -m penstock.search.worker SOCKET PARENT LIBRARY DEVICE MEMORY``; it speaks pickled messages over an
inherited socket with the process that started it, and with nobody else. Nothing heavy is imported before it has
tied its life to its parent's, and offered itself to the kernel's out-of-memory killer before any other process.
"""

import ctypes
import gc
import importlib
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from penstock.search.machine.messages import (
    Broken,
    Cause,
    FoldDone,
    GoOn,
    Job,
    JobDone,
    JobFailed,
    Ready,
    Setting,
    TrialJob,
)

NICENESS = 3  # serving answers first; a search takes what is left
PR_SET_PDEATHSIG = 1
WATCH_SECONDS = 0.5
LOADED_WITH = {
    "lightgbm": ("sklearn.ensemble", "lightgbm"),
    "torch": ("sklearn.ensemble", "torch"),
    "sklearn": ("sklearn.ensemble",),
}
UNUSED_HERE = ("pandas", "pyarrow")
MB = 1024 * 1024
SLACK = 1.2  # times what is left of a slot's memory: what the parent's samples see first, it ends with better words
LEAST_SLACK_MB = 64
ENDED_FIRST = "1000"  # of the kernel's out-of-memory killer
FULL = ("bad_alloc", "can't allocate memory", "cannot allocate memory", "unable to allocate")


def main(socket: int, parent: int, library: str, device: str, memory_mb: int) -> None:
    """Serve jobs until the other end closes or the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person's Ctrl-C is the search's to answer
    _die_with(parent)
    _offer_itself()
    os.nice(NICENESS)
    connection: Connection[Any, Any] = Connection(socket)
    gc.disable()  # a fifth of the seconds that loading takes is looking for garbage that is not there
    try:
        _load(LOADED_WITH[library])
        families = _families()
    except ImportError as error:
        connection.send(Broken(f"{library} does not load: {error}"))
        return
    found = _device(library, device)
    gc.freeze()  # what was loaded stays
    gc.enable()
    if found == "cpu":
        _bound(memory_mb)  # a GPU's driver maps much that it never touches
    connection.send(Ready(found))
    try:
        _serve(connection, families)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the search is over


def _serve(connection: "Connection[Any, Any]", families: dict[str, Any]) -> None:
    trials = importlib.import_module("penstock.search.machine.trials")
    shelter = importlib.import_module("penstock.search.machine.shelter")
    shelf = None

    def ask(done: object) -> bool:
        connection.send(done)
        answer = connection.recv()
        return isinstance(answer, GoOn) and answer.go

    while True:
        message = connection.recv()
        if isinstance(message, Setting):
            shelf = trials.Shelf(message)
            if message.own:
                families |= importlib.import_module("penstock.search.wishes.own").own_families(message.own)
            continue
        doing = _Doing(shelf, ask)
        try:
            family = families[message.family]
            sheltered = message.device != "cpu"
            done = shelter.run_sheltered(message, family, shelf, doing) if sheltered else doing(family, message)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001  a family may raise anything; the trial fails, the slot lives
            connection.send(JobFailed(message.number, f"{type(error).__name__}: {error}"[:500], _cause(error)))
        else:
            connection.send(done)


@dataclass(frozen=True, slots=True)
class _Doing:
    """Does a job on the rows of a shelf, asking after each fold whether to go on."""

    shelf: Any
    ask: Callable[[FoldDone], bool]

    def __call__(self, family: Any, job: Job) -> JobDone:
        trials = importlib.import_module("penstock.search.machine.trials")
        if isinstance(job, TrialJob):
            done: JobDone = trials.evaluate(job, family, self.shelf, self.ask)
        else:
            done = trials.fit(job, family, self.shelf)
        return done


def _families() -> dict[str, Any]:
    plugins = importlib.import_module("penstock.plugins")
    base = importlib.import_module("penstock.models._base")
    importlib.import_module("penstock.search.machine.trials")
    return {name: family() for name, family in plugins.find_plugins("penstock.models", base.ModelFamily).items()}


def _load(modules: tuple[str, ...]) -> None:
    """Import libraries without the tables that they would load and that trials do not use (0.4 s, 60 MB)."""
    hidden = [name for name in UNUSED_HERE if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # None says "not installed"
    try:
        for module in modules:
            importlib.import_module(module)
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _device(library: str, device: str) -> str:
    if library != "torch" or device == "cpu":
        return "cpu"
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return "cpu"
    try:
        torch.zeros(1, device="cuda")  # makes the context, which is this process's and not its first trial's
    except RuntimeError:
        return "cpu"  # placement says then that the GPU is gone
    return "cuda"


def _cause(error: Exception) -> Cause:
    full = isinstance(error, MemoryError) or any(word in str(error).lower() for word in FULL)
    return "memory" if full else "error"


def _bound(memory_mb: int) -> None:
    """Let a fit that asks for much more memory than is left fail at once; the parent's samples might come too late."""
    figures = dict(line.split()[:2] for line in Path("/proc/self/status").read_text().splitlines() if "kB" in line)
    left = memory_mb * MB - int(figures["RssAnon:"]) * 1024
    most = int(figures["VmData:"]) * 1024 + int(max(left * SLACK, LEAST_SLACK_MB * MB))
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))


def _offer_itself() -> None:
    """Ask the kernel to end this process first where memory runs out, and none that serves or searches."""
    wish = Path("/proc/self/oom_score_adj")
    if wish.exists():
        wish.write_text(ENDED_FIRST)


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process with its parent, and watch for it where the kernel cannot."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_watch, args=(parent,), name="watch-parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))
