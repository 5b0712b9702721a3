"""Bad input: a clear error and the right exit code, never a stack trace."""

from pathlib import Path

import pytest
import yaml

from tests.stranger import Stranger

HEAD = "age,plan,churned\n"
GOOD = "".join(f"{20 + i % 50},{'ab'[i % 2]},{'yes' if i % 3 == 0 else 'no'}\n" for i in range(300))


def write(folder: Path, name: str, content: str | bytes) -> str:
    """Write a file and return its name."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


CASES: dict[str, tuple[str | bytes, list[str]]] = {
    "unknown-target": (HEAD.replace("churned", "left") + GOOD, ["'churned'", "age, plan, left"]),
    "empty": ("", ["empty"]),
    "header-only": (HEAD, ["row"]),
    "one-class": (HEAD + "".join(f"{i},a,yes\n" for i in range(200)), ["'churned'", "two"]),
    "no-target-at-all": (HEAD + "".join(f"{i},a,\n" for i in range(200)), ["'churned'"]),
    "double-headers": ("age,age,churned\n" + GOOD, ["age"]),
    "binary-rubbish": (bytes(range(256)) * 40, []),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_file_is_refused_in_one_sentence(stranger: Stranger, name: str) -> None:
    content, words = CASES[name]
    file = write(stranger.folder, f"bad-{name}.csv", content)
    message = stranger.refuse(2, "run", file, "--target", "churned", "--seconds", 2)
    assert message.rstrip().endswith((".", "?"))
    for word in words:
        assert word in message


def test_a_line_of_a_gigabyte_is_refused_without_reading_it_all(stranger: Stranger) -> None:
    path = stranger.folder / "long-line.csv"
    with path.open("wb") as file:
        file.write(HEAD.encode())
        file.truncate(1 << 30)  # a hole in the file: a line of 1 GB that takes no disk
    message = stranger.refuse(2, "run", path.name, "--target", "churned")
    path.unlink()
    assert "line" in message


def test_a_file_in_another_encoding_is_read(stranger: Stranger) -> None:
    text = "größe,plan,churned\n" + GOOD.replace(",a,", ",für,")
    file = write(stranger.folder, "latin.csv", text.encode("cp1252"))
    made = stranger.answer("init", "latin", "--data", file, "--target", "größe")
    spec = yaml.safe_load((stranger.folder / made["file"]).read_text(encoding="utf-8"))
    assert (spec["target"], spec["problem"]) == ("größe", "regression")


def test_a_spec_with_five_faults_names_all_five_with_their_lines(stranger: Stranger) -> None:
    write(stranger.folder, "faults.csv", HEAD + GOOD)
    assert stranger.penstock("init", "faults", "--data", "faults.csv", "--target", "churned").code == 0
    spec = stranger.folder / "projects" / "faults.yaml"
    spec.write_text(
        "name: faults\nsource: {kind: csv_file, path: ../faults.csv}\ntarget: churned\nproblem: binery\n"
        "budget: {secnds: 5}\nsplit: {holdout: 20}\ngates: {mode: better}\nrollout: {stages: [50, 5]}\n"
    )
    said = stranger.penstock("run", "faults", "--json")
    assert said.code == 2, said.out + said.err[-3000:]
    text = said.out
    for word in ("binery", "secnds", "holdout", "better", "stages", "Did you mean"):
        assert word in text
    for line in (4, 5, 6, 7, 8):
        assert f"line {line}" in text or f'"line": {line}' in text


def test_unknown_projects_versions_and_arguments_are_the_users_error(stranger: Stranger) -> None:
    for arguments in (
        ("train", "no-such-project"),
        ("predict", "no-such-project", "x.csv"),
        ("release", "no-such-project", "1"),
        ("rollback", "no-such-project"),
        ("audit", "no-such-project"),
        ("label", "no-such-project", "x.csv"),
        ("run", "no-such-file.csv", "--target", "x"),
        ("run", "no-such-project"),
        ("no-such-command",),
        ("train", "--no-such-option"),
    ):
        assert stranger.refuse(2, *arguments)


def test_the_same_name_with_another_source_is_an_error_naming_both(stranger: Stranger) -> None:
    (stranger.folder / "other").mkdir(exist_ok=True)
    write(stranger.folder, "twins.csv", HEAD + GOOD)
    write(stranger.folder, "other/twins.csv", HEAD + GOOD)
    assert stranger.penstock("init", "twins", "--data", "twins.csv", "--target", "churned").code == 0
    message = stranger.refuse(2, "run", "other/twins.csv", "--target", "churned")
    assert str(stranger.folder / "twins.csv") in message
    assert str(stranger.folder / "other" / "twins.csv") in message
