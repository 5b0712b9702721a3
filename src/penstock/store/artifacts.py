"""Files and folders named by the digest of their content, on disk or in a bucket; never overwritten."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from penstock.domain.workspace import Workspace
from penstock.errors import DataError, NotFound

CHUNK = 1 << 20


def put_bytes(data: bytes, workspace: Workspace) -> str:
    """Keep bytes, and return their digest (sha256, 64 hex digits)."""
    digest = hashlib.sha256(data).hexdigest()
    target = _object(digest, workspace)
    if not target.exists():
        with _new_object(target, digest, workspace) as file:
            file.write_bytes(data)
    return digest


def put_file(path: Path, workspace: Workspace) -> str:
    """Keep a copy of a file, and return the digest of its content."""
    digest = _digest_of(path)
    target = _object(digest, workspace)
    if not target.exists():
        with _new_object(target, digest, workspace) as file:
            shutil.copyfile(path, file)
    return digest


def put_folder(path: Path, workspace: Workspace) -> str:
    """Keep every file of a folder, and return the digest of the list of their names and digests."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    manifest = {str(file.relative_to(path)): put_file(file, workspace) for file in files}
    return put_bytes(json.dumps({"files": manifest}, sort_keys=True).encode(), workspace)


def read_bytes(digest: str, workspace: Workspace, *, verify: bool = True) -> bytes:
    """Return the bytes kept under a digest.

    Raises
    ------
    NotFound
        If nothing is kept under the digest.
    DataError
        If the content is not what the digest says.
    """
    data = local_path(digest, workspace).read_bytes()
    if verify and hashlib.sha256(data).hexdigest() != digest:
        raise DataError(f"The artifact {digest} must hold the content that its name says, but was changed on disk.")
    return data


def local_path(digest: str, workspace: Workspace) -> Path:
    """Return a local file with the content of a digest; not to be written to."""
    target = _object(digest, workspace)
    if not target.exists():
        _download(target, digest, workspace)
    return target


def local_folder(digest: str, workspace: Workspace) -> Path:
    """Return a local folder with the files of a digest made by `put_folder`, each verified; not to be written to."""
    target = workspace.home / "artifacts" / "folders" / _checked(digest)
    if target.is_dir():
        _verify_folder(digest, target, workspace)
        return target
    files: dict[str, str] = json.loads(read_bytes(digest, workspace))["files"]
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=target.parent))
    for name, content in files.items():
        place = building / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(read_bytes(content, workspace))
    try:
        building.replace(target)
    except OSError:  # another process made the same folder first
        shutil.rmtree(building)
    return target


def _verify_folder(digest: str, folder: Path, workspace: Workspace) -> None:
    files: dict[str, str] = json.loads(read_bytes(digest, workspace))["files"]
    for name, content in files.items():
        place = folder / name
        if not place.is_file() or _digest_of(place) != content:
            raise DataError(f"The file {name!r} of artifact {digest} must be as it was kept, but was changed on disk.")


def _checked(digest: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise NotFound(f"An artifact is named by 64 hex digits, but {digest!r} was asked for.")
    return digest


def _object(digest: str, workspace: Workspace) -> Path:
    return workspace.home / "artifacts" / "objects" / _checked(digest)[:2] / digest[2:]


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _temporary(folder: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=folder)
    os.close(handle)
    return Path(name)


@contextmanager
def _new_object(target: Path, digest: str, workspace: Workspace) -> Iterator[Path]:
    """Give a file to write, and then its name once the bucket has it: what is kept here was uploaded."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target.parent)
    try:
        yield temporary
        _upload(temporary, digest, workspace)
        _publish(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _publish(temporary: Path, target: Path) -> None:
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.chmod(0o444)
    temporary.replace(target)


@lru_cache(maxsize=8)
def _bucket(url: str) -> tuple[Any, str]:
    import fsspec

    filesystem, root = fsspec.core.url_to_fs(url)
    return filesystem, str(root).rstrip("/")


def _upload(file: Path, digest: str, workspace: Workspace) -> None:
    if workspace.artifacts_url:
        filesystem, root = _bucket(workspace.artifacts_url)
        filesystem.makedirs(f"{root}/{digest[:2]}", exist_ok=True)
        filesystem.put_file(str(file), f"{root}/{digest[:2]}/{digest[2:]}")


def _download(target: Path, digest: str, workspace: Workspace) -> None:
    if workspace.artifacts_url:
        filesystem, root = _bucket(workspace.artifacts_url)
        remote = f"{root}/{digest[:2]}/{digest[2:]}"
        if filesystem.exists(remote):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = _temporary(target.parent)
            filesystem.get_file(remote, str(temporary))
            _publish(temporary, target)
            return
    raise NotFound(f"No artifact is kept under {digest}. It may belong to another workspace.")
