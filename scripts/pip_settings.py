"""Hand pip's own settings to uv, which reads none of them."""

import ast
import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

ORDER = ("global", "install", ":env:")  # of pip's sections, the later wins
NAMES = {"index-url", "extra-index-url", "find-links", "cert", "no-index", "trusted-host"}


def uv_environment(python: Path) -> tuple[dict[str, str], list[str]]:
    """Return the environment in which uv works as pip would, and notes on what was left out.

    What the environment says to uv itself (`UV_...`) is kept as it is.
    """
    variables, notes = _translate(_read(python))
    return {**variables, **os.environ}, notes


def _read(python: Path) -> dict[str, str]:
    """Return pip's settings by name, as `pip config list` prints them."""
    listed = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: dict[tuple[str, str], str] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in ORDER and name in NAMES:
            found[section, name] = str(ast.literal_eval(value))
    return {name: found[section, name] for section in ORDER for kept, name in found if kept == section}


def _translate(settings: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    notes: list[str] = []
    extra = _existing(settings.get("extra-index-url", ""), notes)
    links = _existing(settings.get("find-links", ""), notes)
    variables = {
        "UV_DEFAULT_INDEX": settings.get("index-url", ""),
        "UV_INDEX": " ".join(extra),
        "UV_INDEX_STRATEGY": "unsafe-best-match" if extra else "",  # pip too takes the best of every index
        "UV_FIND_LINKS": ",".join(links),
        "UV_INSECURE_HOST": settings.get("trusted-host", ""),
        "UV_NO_INDEX": "true" if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"} else "",
        "SSL_CERT_FILE": settings.get("cert", ""),
    }
    return {name: value for name, value in variables.items() if value}, notes


def _existing(addresses: str, notes: list[str]) -> list[str]:
    """Return the addresses but for local ones that lead nowhere, over which uv stops and pip does not."""
    kept = []
    for address in addresses.split():
        parts = urlsplit(address)
        local = Path(unquote(parts.path)) if parts.scheme == "file" else Path(address)
        if parts.scheme in {"", "file"} and not local.exists():
            notes.append(f"pip's settings name {address}, which is not there: left out.")
        else:
            kept.append(address)
    return kept
