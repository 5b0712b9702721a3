"""The processes behind the slots: started, watched, and ended alone when they outgrow memory or deadline."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from penstock.domain.search import Slot
from penstock.errors import ModelError
from penstock.search.machine.messages import Answer, Broken, FoldDone, Job, JobDone, JobFailed, Ready, Setting, TrialJob

SAMPLE_SECONDS = 0.1
STARTS = 2  # a process that ends twice before it is ready would end a third time
SETTINGS = (
    "OMP_NUM_THREADS=1",
    "OPENBLAS_NUM_THREADS=1",
    "MKL_NUM_THREADS=1",
    "NUMEXPR_NUM_THREADS=1",
    "LOKY_MAX_CPU_COUNT=1",
    "CUDA_DEVICE_ORDER=PCI_BUS_ID",
)


@dataclass(slots=True, eq=False)
class Host:
    """A slot's process for one library, and what it is doing; `gpu_mb` is what its job leases of the slot's GPU."""

    slot: Slot
    library: str
    process: subprocess.Popen[bytes]
    connection: "Connection[Any, Any]"
    ready: bool = False
    told: bool = False
    device: str = "cpu"
    job: Job | None = None
    idle_mb: int = 0
    peak_mb: int = 0
    gpu_mb: int = 0
    waiting: bool = False
    scored: bool = False

    def memory_mb(self) -> int:
        """Return the memory that is this process's own (0 where the system does not say)."""
        return own_memory_mb(self.process.pid)

    def sample(self) -> int:
        """Return its memory at present, and keep the most that its job took."""
        mine = self.memory_mb()
        self.peak_mb = max(self.peak_mb, mine - self.idle_mb)
        return mine


@dataclass(slots=True)
class Crew:
    """Every slot's processes. LightGBM and torch never share one: a slot has one process for each library."""

    slots: tuple[Slot, ...]
    folder: Path
    hosts: dict[tuple[int, str], Host] = field(default_factory=dict)
    starts: dict[tuple[int, str], int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    setting: Setting | None = None
    sampled: float = 0.0

    def start(self, slot: Slot, library: str) -> None:
        """Start a slot's process for a library; its imports run while others work."""
        key = (slot.number, library)
        if key in self.hosts or library in self.broken or self.starts.get(key, 0) >= STARTS:
            return
        self.starts[key] = self.starts.get(key, 0) + 1
        mine, theirs = Pipe()
        gpu = "" if slot.gpu is None or library != "torch" else str(slot.gpu)
        log = (self.folder / f"slot-{slot.number}-{library}.log").open("wb")
        with log, theirs:
            process = subprocess.Popen(
                _command(theirs.fileno(), library, gpu, slot.memory_mb),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
            )
        self.hosts[key] = Host(slot, library, process, mine)

    def tell(self, setting: Setting) -> None:
        """Tell every process, those started later too, what all trials have in common."""
        self.setting = setting
        for host in self.hosts.values():
            self._introduce(host)

    def host(self, slot: Slot, library: str) -> Host | None:
        """Return a slot's process that can run a library and is ready; any of them runs scikit-learn."""
        wanted = [library] if library != "sklearn" else ["sklearn", "lightgbm", "torch"]
        ready = (self.hosts.get((slot.number, name)) for name in wanted)
        return next((host for host in ready if host is not None and host.told), None)

    def busy(self, slot: Slot) -> Host | None:
        """Return the process of a slot that has a job."""
        return next((host for host in self.hosts.values() if host.slot == slot and host.job is not None), None)

    @property
    def at_work(self) -> list[Host]:
        """The processes that have a job."""
        return [host for host in self.hosts.values() if host.job is not None]

    def leased_mb(self, gpu: int) -> int:
        """Return what jobs at work hold of a GPU's memory; the lease of a process that died is gone with it."""
        return sum(host.gpu_mb for host in self.at_work if host.slot.gpu == gpu)

    def submit(self, host: Host, job: Job, gpu_mb: int = 0) -> None:
        """Give a job to a process that has none, with a lease of its slot's GPU."""
        host.job, host.peak_mb, host.gpu_mb, host.scored = job, 0, gpu_mb, False
        host.idle_mb = host.idle_mb or host.memory_mb()
        self._send(host, job)

    def answer(self, host: Host, message: object) -> None:
        """Answer a process that waits between two folds."""
        host.waiting = False
        self._send(host, message)

    def wait(self, seconds: float) -> list[tuple[Host, Answer]]:
        """Wait for what the processes say, and end those over their memory or deadline.

        Returns
        -------
        list of (Host, Answer)
            A job's end is told once, also when its process died; the process is then started again.
        """
        until = time.monotonic() + seconds
        answers: list[tuple[Host, Answer]] = []
        while not answers:
            by_connection = {host.connection: host for host in self.hosts.values()}
            left = max(0.0, min(until - time.monotonic(), SAMPLE_SECONDS))
            for connection in wait(list(by_connection), left):
                answers += self._read(by_connection[connection])  # type: ignore[index]
            answers += self._watch()
            if time.monotonic() >= until:
                break
        return answers

    def end(self, host: Host, reason: str, cause: Any) -> list[tuple[Host, Answer]]:
        """End one process; its job, if it has one, fails with the reason, and the process is started again."""
        self.hosts.pop((host.slot.number, host.library), None)
        host.process.kill()
        host.process.wait()
        host.connection.close()
        if host.job is None:
            return []
        job, host.job = host.job, None
        self.start(host.slot, host.library)
        return [(host, JobFailed(job.number, reason, cause))]

    def close(self) -> None:
        """End every process."""
        for host in self.hosts.values():
            host.process.kill()
        for host in self.hosts.values():
            host.process.wait()
            host.connection.close()
        self.hosts.clear()

    def _introduce(self, host: Host) -> None:
        if host.ready and not host.told and self.setting is not None:
            self._send(host, self.setting)
            host.told = True

    def _send(self, host: Host, message: object) -> None:
        try:
            host.connection.send(message)
        except OSError:
            return  # its end is read, and answered, by the next wait

    def _read(self, host: Host) -> list[tuple[Host, Answer]]:
        try:
            message = host.connection.recv()
        except (EOFError, OSError):
            return self._lost(host)
        if isinstance(message, Ready):
            host.ready, host.device = True, message.device
            self.starts[host.slot.number, host.library] = 0
            self._introduce(host)
            return []
        if isinstance(message, Broken):
            self.broken[host.library] = message.reason
            return self.end(host, message.reason, "error")
        host.sample()
        if isinstance(message, FoldDone):
            host.waiting = host.scored = True
        else:
            host.job = None
            host.device = "cpu" if isinstance(message, JobDone) and message.lost else host.device
        return [(host, message)]

    def _lost(self, host: Host) -> list[tuple[Host, Answer]]:
        code = host.process.wait()
        reason = f"the slot's process ended with {code}: {self._last_words(host)}"
        answers = self.end(host, reason, "died")
        if not host.ready:
            self.start(host.slot, host.library)
            if all(other.library != host.library for other in self.hosts.values()):  # given up in every slot
                self.broken.setdefault(host.library, reason)
        return answers

    def _last_words(self, host: Host) -> str:
        path = self.folder / f"slot-{host.slot.number}-{host.library}.log"
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines() if path.exists() else []
        return lines[-1][:300] if lines else "it said nothing"

    def _watch(self) -> list[tuple[Host, Answer]]:
        now = time.monotonic()
        if now - self.sampled < SAMPLE_SECONDS:
            return []
        self.sampled = now
        answers: list[tuple[Host, Answer]] = []
        for host in self.at_work:
            answers += self._over_memory(host) or self._over_time(host, now)
        return answers

    def _over_memory(self, host: Host) -> list[tuple[Host, Answer]]:
        mine = host.sample()
        others = [other for other in self.hosts.values() if other.slot == host.slot and other is not host]
        beside = sum(other.memory_mb() for other in others)
        if mine + beside <= host.slot.memory_mb:
            return []
        if others and mine <= host.slot.memory_mb:
            for other in others:
                self.end(other, "its memory was needed", "memory")
            return []
        return self.end(host, f"ended alone: {mine} MB, more than the slot's {host.slot.memory_mb} MB", "memory")

    def _over_time(self, host: Host, now: float) -> list[tuple[Host, Answer]]:
        job = host.job
        if job is None:
            return []
        if now > job.latest:
            return self.end(host, "ended alone: it was still at work after its deadline", "deadline")
        if isinstance(job, TrialJob) and not host.scored and now > job.first_by:
            return self.end(host, "ended alone: it had not scored its first fold by that fold's deadline", "deadline")
        return []


def own_memory_mb(pid: int) -> int:
    """Return the memory of a process that no other shares, in MB; 0 where `/proc` does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    figures = [line.split() for line in lines if line.startswith(("RssAnon:", "RssShmem:"))]
    return sum(int(words[1]) for words in figures) // 1024


def start_time(pid: int) -> int | None:
    """Return when a process started, in the system's ticks, or None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    state, *words = text.rsplit(")", 1)[1].split()
    return None if state in "ZX" else int(words[18])


def owner() -> tuple[int, int]:
    """Return this process's id and start time: whom a running trial belongs to."""
    pid = os.getpid()
    return pid, start_time(pid) or 0


def lives(pid: int, started: int) -> bool:
    """Return whether the process of an owner still runs."""
    return start_time(pid) == started


def _command(socket: int, library: str, gpu: str, memory_mb: int) -> list[str]:
    """Return the command line; `env` sets what libraries read when they load, before any is loaded."""
    path = os.pathsep.join(part for part in sys.path if part)
    variables = [*SETTINGS, f"CUDA_VISIBLE_DEVICES={gpu}", f"PYTHONPATH={path}"]
    start = [sys.executable, "-P", "-m", "penstock.search.worker"]
    device = "cuda" if gpu else "cpu"
    given = [str(socket), str(os.getpid()), library, device, str(memory_mb)]
    return ["env", "-u", "PYTHONDONTWRITEBYTECODE", *variables, *start, *given]


def need_one_library(crew: Crew) -> None:
    """Raise if no slot's process can be started.

    Raises
    ------
    ModelError
        If every library that was asked for is broken.
    """
    if crew.broken and not crew.hosts:
        raise ModelError("At least one slot must start, but none did.", [f"{k}: {v}" for k, v in crew.broken.items()])
