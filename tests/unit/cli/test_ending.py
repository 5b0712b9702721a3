"""How a process of the command line ends."""

import subprocess
import sys

import pytest

UNTIDY = """
import os, sys
import penstock.cli.main as command_line

class Untidy:
    def __del__(self):  # as a library does whose threads are at work while Python is taken down
        os.abort()

sys.modules["untidy"] = Untidy()
if "unforeseen" in sys.argv:
    def fail(given):
        raise RuntimeError("nobody foresaw this")
    command_line._answer = fail
command_line.main()
"""


@pytest.mark.parametrize(
    ("argument", "code", "out", "err"),
    [("--version", 0, "version", ""), ("nonsense", 2, "", "nonsense"), ("unforeseen", 1, "", "nobody foresaw this")],
    ids=["version", "usage", "fault"],
)
def test_a_command_ends_with_its_code_and_its_words_whatever_libraries_do_at_the_end(
    argument: str, code: int, out: str, err: str
) -> None:
    said = subprocess.run([sys.executable, "-c", UNTIDY, argument], capture_output=True, text=True, check=False)
    assert said.returncode == code, said.stderr
    assert out in said.stdout
    assert err in said.stderr


def test_a_command_whose_words_cannot_be_written_fails() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device, which is always full
        said = subprocess.run([sys.executable, "-c", UNTIDY, "--version"], stdout=full, stderr=full, check=False)
    assert said.returncode == 1
