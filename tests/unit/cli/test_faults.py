"""What a command says that ends as nobody foresaw, or by Ctrl-C."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import pytest

from penstock.cli import main as command_line
from penstock.cli.faults import LOG
from penstock.errors import NotFound, Refused

ADDRESS = "postgresql://penstock:hunter2@db/penstock"


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of logs of a workspace."""
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Have a command end by an exception, and return its exit code."""

    def end(error: BaseException, *given: str) -> int:
        def fail() -> NoReturn:
            raise error

        takes_all = {"ignore_unknown_options": True, "allow_extra_args": True}
        command = click.Command("fail", callback=fail, context_settings=takes_all)
        monkeypatch.setattr(command_line.Penstock, "get_command", lambda *_: command)
        with pytest.raises(SystemExit) as ended:
            command_line._answer(["fail", *given])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return end


def fault() -> Exception:
    """An error that nobody foresaw, with a secret in its words."""
    return ZeroDivisionError(f"{ADDRESS} was divided\nby zero")


def test_a_fault_is_one_json_object_and_its_traceback_is_kept(
    logs: Path, ending: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(fault(), "--json") == 1
    said = json.loads(capsys.readouterr().out)["error"]
    assert said["kind"] == "InternalFault"
    assert said["details"] == [{"exception": "ZeroDivisionError", "traceback": str(logs / LOG)}]
    kept = (logs / LOG).read_text()
    assert "Traceback (most recent call last)" in kept
    assert "in fail" in kept
    assert "hunter2" not in kept + said["message"]
    assert (logs / LOG).stat().st_mode & 0o777 == 0o600


def test_a_person_is_told_a_sentence_and_no_traceback(
    logs: Path, ending: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(fault()) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback (most recent call last)" not in err
    assert err.splitlines()[0] == (
        "error: Penstock failed, and not by what was asked of it: ZeroDivisionError: "
        f"postgresql://penstock:***@db/penstock was divided. The traceback is in {logs / LOG}."
    )


def test_every_fault_is_kept(logs: Path, ending: Callable[..., int]) -> None:
    ending(KeyError("first"))
    ending(KeyError("second"))
    assert (logs / LOG).read_text().count("Traceback") == 2


def test_without_a_workspace_the_traceback_is_in_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "none"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert ending(fault(), "--json") == 1
    kept = Path(json.loads(capsys.readouterr().out)["error"]["details"][0]["traceback"])
    assert kept.parent == tmp_path
    assert "Traceback" in kept.read_text()
    assert not (tmp_path / "none").exists()


def test_a_traceback_that_cannot_be_kept_is_said(
    logs: Path, ending: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / LOG).mkdir()
    assert ending(fault()) == 1
    err = capsys.readouterr().err
    assert "cannot be kept" in err
    assert "Traceback (most recent call last)" in err


def test_ctrl_c_ends_with_130_and_an_object(ending: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(KeyboardInterrupt(), "--json") == 130
    assert json.loads(capsys.readouterr().out) == {
        "error": {"kind": "Interrupted", "message": "Stopped by Ctrl-C.", "details": []}
    }
    assert ending(KeyboardInterrupt()) == 130
    assert "Stopped" in capsys.readouterr().err


def test_what_is_foreseen_keeps_its_code(ending: Callable[..., int]) -> None:
    assert (ending(NotFound("nothing")), ending(Refused("no")), ending(click.UsageError("what"))) == (2, 3, 2)
