"""Leases: one holder at a time, known by process id and start time, so that a dead holder's lease is free."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import psutil
import sqlalchemy as sa

from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import connect, reading

SAME_START_SECONDS = 2.0  # start times are read from a clock with a resolution of 10 ms, and may be rounded
TICKS_OF_A_BOOT = 2**33  # a machine counts fewer until the next: in 10 ms, 2.7 years
PAUSE_SECONDS = 0.5  # between two looks at a lease that another process holds


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lease, its machine, and since when."""

    pid: int
    host: str
    taken_at: datetime


def start_of(pid: int) -> float:
    """Return what tells a process from all others that have its id at some time, for `alive`.

    On Linux a negative number of the boot and of the ticks since: unlike a start time, it stays the same when somebody
    sets the clock. Elsewhere, and in records of earlier versions, seconds since 1970.

    Raises
    ------
    psutil.NoSuchProcess
        If it does not run.
    """
    process = psutil.Process(pid)
    return _ticks_of(pid) or process.create_time()


def alive(pid: int, started: float) -> bool:
    """Return whether a process still runs whose start was told by `start_of`."""
    try:
        process = psutil.Process(pid)
        same = _ticks_of(pid) == started if started < 0 else abs(process.create_time() - started) < SAME_START_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def try_lease(name: str, workspace: Workspace) -> bool:
    """Take a lease for this process unless a living one holds it; return whether this process holds it."""
    table, mine = tables.leases, os.getpid()
    values = {
        "name": name,
        "pid": mine,
        "started": start_of(mine),
        "host": socket.gethostname(),
        "taken_at": datetime.now(UTC),
    }
    try:
        with connect(workspace).begin() as connection:
            held = connection.execute(sa.select(table).where(table.c.name == name)).one_or_none()
            if held is None:
                connection.execute(sa.insert(table).values(values))
                return True
            near = is_near(held.host, workspace)
            if not near or alive(held.pid, held.started):
                return bool(near and held.pid == mine)
            return _take_over(held, values, connection)
    except sa.exc.IntegrityError:  # PostgreSQL lets another insert it between the two statements
        return False


def give_back(name: str, workspace: Workspace) -> None:
    """Give back a lease of this process."""
    table = tables.leases
    with connect(workspace).begin() as connection:
        connection.execute(sa.delete(table).where(table.c.name == name, table.c.pid == os.getpid()))


def held_leases(workspace: Workspace) -> list[tuple[str, int, bool]]:
    """Return every lease of this machine's processes: its name, the holder's pid, and whether the holder lives."""
    rows = [row for row in _all_leases(workspace) if is_near(row.host, workspace)]
    return [(row.name, row.pid, alive(row.pid, row.started)) for row in rows]


def leases_elsewhere(workspace: Workspace) -> list[tuple[str, str]]:
    """Return every lease that another machine holds: its name, and that machine, which alone sees whether it lives."""
    return [(row.name, row.host) for row in _all_leases(workspace) if not is_near(row.host, workspace)]


def free_dead_leases(workspace: Workspace) -> list[str]:
    """Free every lease of this machine whose holder is dead; return their names.

    Whoever wants such a lease takes it over; this is for those that nobody wants.
    """
    freed = []
    for row in _all_leases(workspace):
        if not is_near(row.host, workspace) or alive(row.pid, row.started):
            continue
        with connect(workspace).begin() as connection:
            if connection.execute(sa.delete(tables.leases).where(_as_read(row))).rowcount:
                freed.append(str(row.name))
    return freed


def holder_of(name: str, workspace: Workspace) -> Holder | None:
    """Return who holds a lease, None if nobody does."""
    query = sa.select(tables.leases).where(tables.leases.c.name == name)
    with reading(workspace).begin() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else Holder(row.pid, row.host, row.taken_at)


@contextmanager
def hold_lease(name: str, workspace: Workspace, *, waiting: Callable[[Holder], None] | None = None) -> Iterator[None]:
    """Hold a lease while the block runs, waiting as long as another holder lives: what waits must not be dropped.

    Parameters
    ----------
    name
        What is leased, such as ``train:churn``.
    workspace
        Where leases are kept.
    waiting
        Called once for each holder that is waited for.
    """
    told: Holder | None = None
    while not try_lease(name, workspace):
        holder = holder_of(name, workspace)
        if waiting is not None and holder is not None and holder != told:
            waiting(holder)
        told = holder or told
        time.sleep(PAUSE_SECONDS)
    try:
        yield
    finally:
        give_back(name, workspace)


def is_near(host: str, workspace: Workspace) -> bool:
    """Return whether this machine sees a holder's process: a SQLite file is on one machine, whatever its name was."""
    return workspace.database_server is None or host == socket.gethostname()


def _ticks_of(pid: int) -> float | None:
    """Return the boot and the ticks of a process's start as one number, None where the kernel does not tell them."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
        return -float(_boot() * TICKS_OF_A_BOOT + ticks)
    except OSError:
        return None


@cache
def _boot() -> int:
    """Return 20 bits of the kernel's name of this boot: with them, a float still holds each tick."""
    return int(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:5], 16)


def _all_leases(workspace: Workspace) -> Sequence[sa.Row[tuple[object, ...]]]:
    with reading(workspace).begin() as connection:
        return connection.execute(sa.select(tables.leases)).all()


def _as_read(row: sa.Row[tuple[object, ...]]) -> sa.ColumnElement[bool]:
    """Return the condition that a lease is held as it was when it was read."""
    table = tables.leases
    same_process = (table.c.pid == row.pid, table.c.host == row.host, table.c.started == row.started)
    return sa.and_(table.c.name == row.name, *same_process)


def _take_over(held: sa.Row[tuple[object, ...]], values: Mapping[str, object], connection: sa.Connection) -> bool:
    """Rewrite a dead holder's lease, and return whether that was done: of two who saw it dead, one gets it."""
    return bool(connection.execute(sa.update(tables.leases).where(_as_read(held)).values(values)).rowcount)
