"""Who may ask: keys of the inference service, random, kept as hashes, scoped to projects, revocable."""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from penstock.domain.workspace import PROJECT_NAME, Workspace
from penstock.errors import SpecError
from penstock.serving.http.doors import Opening
from penstock.store import access
from penstock.store.access import Key

KEY_BYTES = 32
UNKNOWN_SECONDS = 0.25  # a stranger's keys make the service look into the database no more often than this


def create_key(name: str, projects: tuple[str, ...], workspace: Workspace) -> str:
    """Make a key and keep its hash.

    Parameters
    ----------
    name
        By which the key is listed and revoked; no other key has it.
    projects
        The projects that it opens; empty: all, those to come too.
    workspace
        Where the hash is kept.

    Returns
    -------
    str
        The key: 256 random bits as text. It is kept nowhere, so that it can be shown once.

    Raises
    ------
    SpecError
        If another key has the name.
    """
    key = secrets.token_urlsafe(KEY_BYTES)
    access.save_key(Key(key_hash(key), name, projects, datetime.now(UTC)), workspace)
    return key


def project_key(project: str, workspace: Workspace) -> str:
    """Return the project's own key, made at the first call and kept in the workspace's folder of secrets.

    Where it was revoked, another one takes its place; the old one stays revoked.

    Parameters
    ----------
    project
        The project that the key opens, and no other.
    workspace
        Where the key is kept, in a file for its owner only.

    Returns
    -------
    str
        The same key at every call, until its file is removed or the key is revoked.

    Raises
    ------
    SpecError
        If the project's name could not be a project's name.
    """
    if not re.fullmatch(PROJECT_NAME, project):
        raise SpecError(f"A project's name must be of lower-case letters, digits and dashes, but is {project!r}.")
    path = workspace.secrets / f"{project}.key"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(KEY_BYTES))
    key = path.read_text().strip()
    if access.is_revoked(key_hash(key), workspace):
        _write_anew(path, secrets.token_urlsafe(KEY_BYTES))
        key = path.read_text().strip()
    digest = key_hash(key)
    access.save_key(Key(digest, f"{project} ({digest[:8]})", (project,), datetime.now(UTC)), workspace)
    return key


def key_hash(key: str) -> str:
    """Return what is kept of a key; 256 random bits need no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """The workspace's keys, read anew once a second and when an unknown one comes."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._keys: dict[str, Key] = {}
        self._read_at = 0.0

    def opening(self, token: str, project: str) -> Opening:
        """Say whether a key opens a project, is unknown, or opens other projects only."""
        digest = key_hash(token)
        key = self._keys.get(digest)
        if key is None or not hmac.compare_digest(key.hash, digest):
            return "unknown"
        return "opens" if not key.projects or project in key.projects else "elsewhere"

    def look_again(self, asked: float) -> None:
        """Read the keys anew, unless that was done after a moment; strangers wait until it is due again."""
        if self._read_at < asked:
            time.sleep(max(0.0, self._read_at + UNKNOWN_SECONDS - time.monotonic()))
            self.refresh()

    def refresh(self) -> None:
        """Read the keys that are not revoked."""
        began = time.monotonic()
        self._keys = {key.hash: key for key in access.list_keys(self.workspace) if key.revoked_at is None}
        self._read_at = began


def _write_once(path: Path, text: str) -> None:
    """Write a file for its owner only; whoever is first wins, and no reader sees half of it."""
    temporary = _written_beside(path, text)
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


def _write_anew(path: Path, text: str) -> None:
    """Write a file for its owner only in the place of another one; no reader sees half of it."""
    _written_beside(path, text).replace(path)


def _written_beside(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary
