import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pip_settings(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("pip_settings")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    module = importlib.import_module("install")
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").touch()
    monkeypatch.setattr(module, "VENV", venv)
    monkeypatch.setattr(module, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(module, "STAMP", venv / "stamp.json")
    monkeypatch.setattr(module, "UNFINISHED", venv / "unfinished")
    return module


def test_pips_index_links_and_certificate_reach_uv(pip_settings: ModuleType, tmp_path: Path) -> None:
    variables, notes = pip_settings._translate(
        {
            "index-url": "https://index.example/simple",
            "extra-index-url": "https://more.example/simple",
            "find-links": str(tmp_path),
            "cert": "/ca.pem",
        }
    )
    assert variables == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "https://more.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": str(tmp_path),
        "SSL_CERT_FILE": "/ca.pem",
    }
    assert notes == []


def test_a_local_index_that_is_not_there_is_left_out_and_named(pip_settings: ModuleType, tmp_path: Path) -> None:
    there, gone = tmp_path.as_uri(), (tmp_path / "gone").as_uri()
    variables, notes = pip_settings._translate({"extra-index-url": f"{gone} {there}"})
    assert variables["UV_INDEX"] == there
    assert len(notes) == 1
    assert gone in notes[0]


def test_what_is_said_to_uv_itself_comes_first(pip_settings: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_settings, "_read", lambda _: {"index-url": "https://pips.example"})
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uvs.example")
    assert pip_settings.uv_environment(Path("python"))[0]["UV_DEFAULT_INDEX"] == "https://uvs.example"


def test_a_finished_installation_is_not_repeated(install: ModuleType) -> None:
    install.STAMP.write_text(json.dumps({"place": str(install.VENV), "run": install._wanted("run")}))
    assert install._installed() == {"run"}


def test_an_installation_that_was_cut_off_does_not_count(install: ModuleType) -> None:
    install.STAMP.write_text(json.dumps({"place": str(install.VENV), "run": install._wanted("run")}))
    install.UNFINISHED.touch()
    assert install._installed() == set()


def test_a_moved_or_changed_project_is_installed_again(install: ModuleType) -> None:
    install.STAMP.write_text(json.dumps({"place": "/elsewhere", "run": install._wanted("run")}))
    assert install._installed() == set()
    install.STAMP.write_text(json.dumps({"place": str(install.VENV), "run": "of older locks"}))
    assert install._installed() == set()
