"""One process a slot: it lives for the search, runs one job after the other, and dies with its parent.

Started as ``python -m penstock.search.worker SOCKET PARENT LIBRARY DEVICE``; it speaks pickled messages over an
inherited socket with the process that started it, and with nobody else. Nothing heavy is imported before it has
tied its life to its parent's.
"""

import ctypes
import importlib
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from penstock.search.messages import Broken, GoOn, JobFailed, Ready, Setting, TrialJob

NICENESS = 3  # serving answers first; a search takes what is left
PR_SET_PDEATHSIG = 1
WATCH_SECONDS = 0.5
LOADED_WITH = {
    "lightgbm": ("sklearn.ensemble", "lightgbm"),
    "torch": ("sklearn.ensemble", "torch"),
    "sklearn": ("sklearn.ensemble",),
}
UNUSED_HERE = ("pandas", "pyarrow")


def main(socket: int, parent: int, library: str, device: str) -> None:
    """Serve jobs until the other end closes or the parent dies."""
    _die_with(parent)
    os.nice(NICENESS)
    connection: Connection[Any, Any] = Connection(socket)
    try:
        _load(LOADED_WITH[library])
        families = _families()
    except ImportError as error:
        connection.send(Broken(f"{library} does not load: {error}"))
        return
    connection.send(Ready(_device(library, device)))
    try:
        _serve(connection, families)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the search is over


def _serve(connection: "Connection[Any, Any]", families: dict[str, Any]) -> None:
    trials = importlib.import_module("penstock.search.trials")
    shelf = None

    def ask(done: object) -> bool:
        connection.send(done)
        answer = connection.recv()
        return isinstance(answer, GoOn) and answer.go

    while True:
        message = connection.recv()
        if isinstance(message, Setting):
            shelf = trials.Shelf(message)
            continue
        try:
            family = families[message.family]
            is_trial = isinstance(message, TrialJob)
            done = trials.evaluate(message, family, shelf, ask) if is_trial else trials.fit(message, family, shelf)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001  a family may raise anything; the trial fails, the slot lives
            connection.send(JobFailed(message.number, f"{type(error).__name__}: {error}"[:500]))
        else:
            connection.send(done)


def _families() -> dict[str, Any]:
    plugins = importlib.import_module("penstock.plugins")
    base = importlib.import_module("penstock.models._base")
    importlib.import_module("penstock.search.trials")
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
    return "cuda" if torch.cuda.is_available() else "cpu"


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
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
