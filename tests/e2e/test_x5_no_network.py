"""X5: nothing but loopback is asked for; the shared stack is under the same guard in every scenario."""

import os
import subprocess
import sys
from pathlib import Path

from tests.stranger import Stranger


def test_the_guard_refuses_and_writes_down_what_leaves_the_machine(tmp_path: Path) -> None:
    log = tmp_path / "attempts.txt"
    code = "import socket; socket.create_connection(('192.0.2.1', 80), 1)"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent / "loopback_only"),
        "LOOPBACK_ONLY_LOG": str(log),
    }
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "PermissionError" in said.stderr
    assert "192.0.2.1" in log.read_text()


def test_the_stack_is_under_guard_and_has_asked_for_loopback_only(stranger: Stranger) -> None:
    assert stranger.environment["PYTHONPATH"].endswith("loopback_only")
    stranger.answer("status")
    stranger.answer("doctor")
    assert not Path(stranger.environment["LOOPBACK_ONLY_LOG"]).exists()
