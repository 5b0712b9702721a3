"""What a file that people write says and must not: each fault with its line, and the nearest right word."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from penstock.domain.workspace import PROJECT_NAME
from penstock.errors import SpecError

PERCENT = 100
GIVEN = "be given"
MOST_LETTERS = 48  # of a project's name, as `PROJECT_NAME` has it
NAME_MUST = (
    "be lower-case letters, digits and dashes, begin with a letter, end in a letter or digit, and have at most 48 "
    "characters"
)

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a file says and must not."""

    key: Key
    must: str
    found: str = ""
    hint: str = ""

    def said(self, line: int) -> str:
        """Return the fault as one line of text."""
        name = ".".join(str(part) for part in self.key)
        found = f", but is {self.found}" if self.found else ""
        return f"line {line}: `{name}` must {self.must}{found}.{' ' if self.hint else ''}{self.hint}"


def nearest(word: str, words: Sequence[str]) -> str | None:
    """Return the word that is most like another, or None."""
    return next(iter(difflib.get_close_matches(word, list(words), 1)), None)


def read_yaml(path: Path, what: str) -> Any:
    """Return the tree of a YAML file that holds keys and values; `what` names the file in errors.

    Raises
    ------
    SpecError
        If there is no such file, or it is not YAML; the line is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SpecError(
            f"The {what} {str(path)!r} must exist, but does not. `penstock init` writes a project file."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"The {what} {str(path)!r} must be readable text in UTF-8, but: {error}.") from error
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        raise _not_yaml(path, error, what) from error
    except YAMLError as error:
        raise SpecError(f"The {what} {str(path)!r} must be YAML, but: {error}.") from error
    if not isinstance(tree, Mapping):
        raise SpecError(f"The {what} {str(path)!r} must hold keys and values, such as `target: churned`.")
    return tree


def _not_yaml(path: Path, error: MarkedYAMLError, what: str) -> SpecError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    problem = str(error.problem or error.context).splitlines()[0]
    fault = {"line": line, "key": "", "must": "be YAML", "found": problem, "hint": ""}
    return SpecError(f"The {what} {str(path)!r} must be YAML, but line {line} is not: {problem}.", [fault])


def error_of(path: Path, faults: list[Fault], tree: Any, what: str) -> SpecError:
    """Return the error that says every fault of a file, in the order of its lines."""
    placed = sorted(((_line(tree, fault.key), fault) for fault in dict.fromkeys(faults)), key=lambda pair: pair[0])
    count = "1 fault" if len(placed) == 1 else f"{len(placed)} faults"
    said = "\n".join(f"  {fault.said(line)}" for line, fault in placed)
    details = [
        {
            "line": line,
            "key": ".".join(str(part) for part in fault.key),
            "must": fault.must,
            "found": fault.found,
            "hint": fault.hint,
        }
        for line, fault in placed
    ]
    return SpecError(f"The {what} {str(path)!r} has {count}:\n{said}", details)


def _line(tree: Any, key: Key) -> int:
    line = 1
    for part in key:
        if not _holds(tree, part):
            return line
        marks = tree.lc
        line = 1 + (marks.key(part) if isinstance(tree, dict) else marks.item(part))[0]
        tree = tree[part]
    return line


def _holds(tree: Any, part: str | int) -> bool:
    return part in tree if isinstance(tree, dict) else isinstance(tree, list) and part in range(len(tree))


def plain(tree: Any) -> Any:
    """Return what a YAML tree holds as plain dicts, lists and values."""
    if isinstance(tree, Mapping):
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [plain(value) for value in tree]
    for kind in (bool, int, float, str):
        if isinstance(tree, kind):
            return kind(tree)
    return tree


def field_faults(error: ValidationError, data: dict[str, Any], model: type[BaseModel]) -> list[Fault]:
    """Return one fault for each key: the errors of a union's members are one, and so is a misspelt required key."""
    faults: dict[Key, list[Fault]] = {}
    for problem in error.errors():
        fault = _field_fault(dict(problem), data, model)
        faults.setdefault(fault.key, []).append(fault)
    meant = {(*key[:-1], nearest_key(fault)) for key, group in faults.items() for fault in group}
    return [
        Fault(
            key,
            " or ".join(dict.fromkeys(fault.must for fault in group)),
            group[0].found,
            next((fault.hint for fault in group if fault.hint), ""),
        )
        for key, group in faults.items()
        if group[0].must != GIVEN or key not in meant
    ]


def nearest_key(fault: Fault) -> str:
    """Return the key that a fault's hint says was meant, or ""."""
    found = re.fullmatch(r"Did you mean `(\w+)`\?", fault.hint)
    return found.group(1) if found else ""


def _field_fault(problem: dict[str, Any], data: dict[str, Any], model: type[BaseModel]) -> Fault:
    kind = problem["type"]
    if kind == "missing":
        return Fault(tuple(problem["loc"]), GIVEN)
    key = _key_in(data, problem["loc"])
    if kind == "extra_forbidden":
        return unknown(key, _section(key, model), model)
    return _wrong_value(key, kind, problem)


def _wrong_value(key: Key, kind: str, problem: dict[str, Any]) -> Fault:
    value, context = problem["input"], problem.get("ctx", {})
    if kind == "literal_error":
        return _not_a_word(key, value, context)
    if kind.startswith(("greater_than", "less_than")):
        return _out_of_range(key, value, kind, context)
    if kind == "string_type" and not isinstance(value, (list, dict, type(None))):
        return Fault(key, "be text", repr(value), f'Put it in quotes: "{value}".')
    if kind == "string_pattern_mismatch":
        return Fault(key, NAME_MUST, repr(value), _slug_hint(str(value)))
    return Fault(key, _MUST_BE.get(kind.split("_", maxsplit=1)[0], problem["msg"]), repr(value))


_MUST_BE = {
    "float": "be a number",
    "int": "be a whole number",
    "string": "be text",
    "bool": "be true or false",
    "list": "be a list",
    "dict": "be a section of keys and values",
    "model": "be a section of keys and values",
}


def _key_in(data: Any, location: Sequence[Any]) -> Key:
    """Leave out what a location says of a union's members, which are no keys of the file."""
    key: list[Any] = []
    for part in location:
        if _holds(data, part):
            key.append(part)
            data = data[part]
    return tuple(key)


def _section(key: Key, model: type[BaseModel]) -> type[BaseModel]:
    parts = iter(key[:-1])
    for part in parts:
        annotation = model.model_fields[str(part)].annotation
        kinds = (annotation, *get_args(annotation))
        model = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
        if get_origin(annotation) is dict:
            next(parts, None)  # a name that the file's author chose
    return model


def unknown(key: Key, section: type[BaseModel], model: type[BaseModel]) -> Fault:
    """Return the fault of a key that its section does not have."""
    known = [name for name, field in section.model_fields.items() if not field.exclude]
    word = str(key[-1])
    close = nearest(word, known)
    homes = [name for name, other in _sections(model).items() if word in other.model_fields and (name,) != key[:-1]]
    if homes:
        hint = f"It belongs under `{homes[0]}`."
    elif close:
        hint = f"Did you mean `{close}`?"
    else:
        hint = f"There are: {', '.join(known)}."
    return Fault(key, "be a known key, but is not", hint=hint)


def _sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    fields = model.model_fields.items()
    return {
        name: field.annotation
        for name, field in fields
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def _not_a_word(key: Key, value: object, context: Mapping[str, Any]) -> Fault:
    words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
    close = nearest(str(value), words)
    must = f"be one of {', '.join(words)}" if len(words) > 1 else f"be {words[0]!r}"
    return Fault(key, must, repr(value), f"Did you mean {close!r}?" if close else "")


def _out_of_range(key: Key, value: Any, kind: str, context: Mapping[str, Any]) -> Fault:
    limit = next(iter(context.values()))
    if kind.startswith("less_than") and limit == 1:
        return Fault(key, "be a share between 0 and 1", repr(value), _share_hint(value))
    words = {"greater_than": "greater than", "greater_than_equal": "at least", "less_than": "less than"}
    return Fault(key, f"be {words.get(kind, 'at most')} {limit:g}", repr(value))


def _share_hint(value: Any) -> str:
    """Return the share that a percentage was meant as, a number or a text that is one; "" for any other value."""
    try:
        percent = float(value)
    except (TypeError, ValueError, OverflowError):
        return ""
    return f"Did you mean {percent / PERCENT:g}?" if 1 < percent <= PERCENT else ""


def check_name(name: str) -> None:
    """Make sure that a project may have a name.

    Raises
    ------
    SpecError
        If it may not, with a name like it that may.
    """
    if not re.fullmatch(PROJECT_NAME, name):
        raise SpecError(f"A project's name must {NAME_MUST}, but is {name!r}. {_slug_hint(name)}".rstrip())


def slug_of(text: str) -> str:
    """Return the name of a project that a text suggests, or "" if it has no letter or digit that a name may have."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    begun = slug if re.match(r"[a-z]|$", slug) else f"p-{slug}"
    return begun[:MOST_LETTERS].rstrip("-")


def _slug_hint(name: str) -> str:
    slug = slug_of(name)
    return f"Did you mean {slug!r}?" if slug else ""
