from pathlib import Path

import pytest

from penstock.domain.search import Budget, Machine
from penstock.search.placement import OWN_COPIES, cut, inventory, refusal

MEMINFO = "MemTotal:       32000000 kB\nMemAvailable:   16777216 kB\n"


def plant(root: Path, groups: str, files: dict[str, str]) -> Path:
    written = {"proc/meminfo": MEMINFO, "proc/self/cgroup": groups, **files}
    for name, text in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_memory_is_what_the_machine_says_is_available(tmp_path: Path) -> None:
    assert inventory(root=plant(tmp_path, "0::/\n", {})).memory_mb == 16384


def test_a_control_group_of_version_2_bounds_memory_and_cores(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/box/memory.max": f"{2 * 1024**3}\n",
        "sys/fs/cgroup/box/memory.current": f"{1024**3}\n",
        "sys/fs/cgroup/box/memory.stat": f"anon 5\ninactive_file {512 * 1024**2}\n",
        "sys/fs/cgroup/box/cpu.max": "50000 100000\n",
    }
    machine = inventory(root=plant(tmp_path, "0::/box\n", files))
    assert machine.memory_mb == 1536  # what is used but for the file cache that can be given back
    assert machine.cores == 0.5
    assert any("control group" in note for note in machine.notes)


def test_a_group_above_bounds_those_below(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/outer/memory.max": f"{1024**3}\n",
        "sys/fs/cgroup/outer/memory.current": "0\n",
        "sys/fs/cgroup/outer/inner/memory.max": "max\n",
        "sys/fs/cgroup/outer/inner/cpu.max": "max 100000\n",
    }
    assert inventory(root=plant(tmp_path, "0::/outer/inner\n", files)).memory_mb == 1024


def test_control_groups_of_version_1_are_read_too(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/memory/box/memory.limit_in_bytes": f"{1024**3}\n",
        "sys/fs/cgroup/memory/box/memory.usage_in_bytes": f"{256 * 1024**2}\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "25000\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
    }
    machine = inventory(root=plant(tmp_path, "4:memory:/box\n3:cpu:/box\n0::/\n", files))
    assert (machine.memory_mb, machine.cores) == (768, 0.25)


def test_a_missing_driver_is_a_note_and_no_error(tmp_path: Path) -> None:
    machine = inventory(visible_gpus="", root=plant(tmp_path, "", {}))
    assert machine.gpus == ()


@pytest.mark.parametrize("count", [0, 1, 2, 8])
def test_each_gpu_has_a_slot_of_its_own_first(count: int) -> None:
    gpus = tuple((number, "H200", 7_000) for number in range(count))
    slots = cut(Machine(16, 64_000, gpus), Budget(20))
    assert len(slots) == 15  # one core is left to serving
    assert [slot.gpu for slot in slots if slot.gpu is not None] == list(range(count))


def test_a_gpu_with_room_is_shared_by_two_slots_and_no_more() -> None:
    slots = cut(Machine(16, 64_000, ((0, "H200", 140_000), (1, "T4", 6_000))), Budget(20))
    assert [slot.gpu for slot in slots][:4] == [0, 1, 0, None]
    assert [slot.gpu_mb for slot in slots][:4] == [140_000, 6_000, 140_000, 0]


def test_more_gpus_than_cores_leave_some_of_them_idle() -> None:
    slots = cut(Machine(2, 64_000, tuple((number, "T4", 16_000) for number in range(8))), Budget(20))
    assert [slot.gpu for slot in slots] == [0, 1]


def test_a_budget_bounds_gpus_and_memory() -> None:
    machine = Machine(4, 64_000, ((0, "A", 8000), (1, "B", 8000)))
    slots = cut(machine, Budget(20, memory_gb=3, gpus=1))
    assert {slot.gpu for slot in slots} == {0, None}
    assert sum(slot.memory_mb for slot in slots) <= 3072


def test_what_this_process_holds_and_will_copy_is_no_slots() -> None:
    slots = cut(Machine(2, 64_000), Budget(20, memory_gb=2), data_mb=48, held_mb=300)
    assert sum(slot.memory_mb for slot in slots) <= 2048 - 300 - 48 * OWN_COPIES


def test_two_cores_make_two_slots_and_half_a_core_makes_one() -> None:
    assert len(cut(Machine(2, 8000), Budget(20))) == 2
    assert len(cut(Machine(0.5, 8000), Budget(20))) == 1


def test_little_memory_makes_fewer_slots_and_says_so() -> None:
    slots = cut(Machine(8, 1700), Budget(20))
    assert len(slots) == 2
    assert "memory allows 2 of 7" in slots[0].reason


def test_a_trial_that_needs_more_than_its_slot_has_is_refused_with_the_figures() -> None:
    (slot,) = cut(Machine(1, 2000), Budget(20))
    assert refusal(100, "lightgbm", slot) is None
    assert "5130 MB" in str(refusal(5000, "lightgbm", slot))
