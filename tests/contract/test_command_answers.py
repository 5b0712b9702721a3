"""Every command's answer has a schema in `docs/reference/commands.json`, and every schema there is of a command."""

import json
from collections.abc import Iterator

import click
import jsonschema
import pytest

from penstock.cli.main import penstock
from tests.stranger import REFERENCE

SCHEMAS = json.loads((REFERENCE / "commands.json").read_text())["$defs"]
BY_OPTION = {name for name in SCHEMAS if " --" in name}  # answers that an option makes others


def answering(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Give every command that does something by itself with its name: no group, but where its own name does, too."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            found = command.get_command(context, word)
            assert found is not None
            yield from answering(found, f"{name} {word}".strip())


def options(command: click.Command) -> set[str]:
    """Return the options that a command takes."""
    return {option for parameter in command.params for option in parameter.opts}


@pytest.fixture(scope="module")
def commands() -> dict[str, click.Command]:
    """Every command by its name, such as `keys create`."""
    return dict(answering(penstock))


def test_every_command_answers_in_json(commands: dict[str, click.Command]) -> None:
    assert not [name for name, command in commands.items() if "--json" not in options(command)]


def test_every_answer_is_described_and_nothing_else(commands: dict[str, click.Command]) -> None:
    assert set(SCHEMAS) - BY_OPTION - {"error"} == set(commands)


def test_an_answer_by_option_is_of_a_command_that_takes_it(commands: dict[str, click.Command]) -> None:
    for name in BY_OPTION:
        command, _, option = name.partition(" --")
        assert f"--{option}" in options(commands[command])


def test_every_answer_has_a_json_schema() -> None:
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
