"""Look through a text file before it is parsed: its encoding, the length of its lines, its separator."""

import codecs
import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, cast

from penstock.data.sources._base import NoRows
from penstock.errors import DataError, SourceUnavailable

LONGEST_LINE = 1 << 20  # bytes; a longer line is no row but a file without line ends, or a quote that never closes
CHUNK = LONGEST_LINE  # the first chunk is the sample, and holds the line of names whole
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
MAY_BE_CUT = CHUNK // 4  # characters, of at most four bytes: a sample of fewer is the whole file
SAMPLED_ROWS = 50
SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class TextFile:
    """What a file's bytes say of how to read it; `guessed` if the encoding is one that fits any bytes."""

    path: Path
    encoding: str
    guessed: bool
    separator: str
    names: tuple[str, ...]
    skip: int
    quotes: int


def look_through(path: Path) -> TextFile:
    """Read a file once, a chunk at a time, and return how to parse it.

    Raises
    ------
    DataError
        If it is empty, holds a line over the limit or bytes that no text has, or has no line of names.
    SourceUnavailable
        If it cannot be read.
    """
    try:
        with open_bytes(path) as file:
            encoding, guessed, quotes, sample = _scan(file, path.name)
    except (OSError, EOFError) as error:
        raise SourceUnavailable(f"The file {str(path)!r} must be readable, but: {error}.") from error
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(sample)
    separator, names, skip = _header(text, path.name)
    return TextFile(path, encoding, guessed, separator, names, skip, quotes)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, unpacking it if its first bytes are gzip's."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _scan(file: IO[bytes], name: str) -> tuple[str, bool, int, bytes]:
    """Return the encoding, whether it was guessed, the number of quotes, and the first chunk."""
    sample = file.read(CHUNK)
    if not sample.strip():
        raise NoRows(f"The file {name!r} must hold a table, but is empty.")
    is_utf16 = sample.startswith(UTF16_MARKS)
    if is_utf16:
        sample += file.read(CHUNK)  # two bytes a letter: as many letters as of other files
    lines, open_line, quotes = 1, 0, 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, used = True, set[int]()
    chunks = chain([sample], iter(lambda: file.read(CHUNK), b""))
    for chunk in _from_utf16(chunks, name) if is_utf16 else chunks:
        if b"\x00" in chunk:
            line = lines + chunk[: chunk.index(b"\x00")].count(b"\n")
            message = f"The file {name!r} must be text, but line {line} holds a NUL byte."
            raise DataError(f"{message} It may be another format, or damaged.", [{"line": line}])
        open_line = _checked_line(chunk, open_line, lines, name)
        lines += chunk.count(b"\n")
        quotes += chunk.count(b'"')
        if is_utf8:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                is_utf8 = False
        if not is_utf8:
            used.update(set(chunk))
    if is_utf16:
        return "utf-16", False, quotes, sample
    if is_utf8:
        return ("utf-8-sig" if sample.startswith(codecs.BOM_UTF8) else "utf-8"), False, quotes, sample
    undefined = {0x81, 0x8D, 0x8F, 0x90, 0x9D}  # bytes that Windows-1252 leaves undefined
    return ("latin-1" if used & undefined else "cp1252"), True, quotes, sample


def _from_utf16(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Give chunks of UTF-16 as UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        message = f"The file {name!r} must be UTF-16, as its first bytes say, but has bytes that are none"
        raise DataError(f"{message} ({error.reason}). It may be damaged.") from error


def _checked_line(chunk: bytes, before: int, lines: int, name: str) -> int:
    """Return how many bytes of an unfinished line stand at the chunk's end."""
    end = b"\n" if b"\n" in chunk or b"\r" not in chunk else b"\r"
    first = chunk.find(end)
    length = before + (len(chunk) if first < 0 else first)
    if length > LONGEST_LINE:
        message = f"A line of {name!r} must have at most {LONGEST_LINE:,} bytes, but line {lines} has more."
        raise DataError(message + " The file may lack line ends, or a quote may not close.", [{"line": lines}])
    return length if first < 0 else len(chunk) - chunk.rfind(end) - 1


def _header(text: str, name: str) -> tuple[str, tuple[str, ...], int]:
    """Return the separator, the columns' names, and how many lines stand before the first row."""
    lines = _open_text(text).readlines()
    blank = 0
    while blank < len(lines) and not lines[blank].strip():
        blank += 1
    if blank == len(lines):
        raise NoRows(f"The file {name!r} must begin with the names of its columns, but its first lines are blank.")
    body = "".join(lines[blank:])
    separator = max(SEPARATORS, key=lambda mark: _fit(body, mark))
    reader = csv.reader(_open_text(body), delimiter=separator)
    try:
        header = next(reader)
    except csv.Error as error:
        raise DataError(f"The first line of {name!r} must hold the names of its columns, but: {error}.") from error
    names = tuple(title.strip() or f"Unnamed: {place}" for place, title in enumerate(header))
    return separator, names, blank + reader.line_num


def _open_text(text: str) -> io.StringIO:
    """Return a text whose lines end as pyarrow ends them: by a newline, a carriage return, or both."""
    return io.StringIO(text, newline="")


def _fit(body: str, separator: str) -> tuple[float, int]:
    """Return the share of sampled rows as wide as the first, if that is wider than one, and how wide."""
    widths = list(_widths(body, separator))
    if len(widths) > 1 and len(body) >= MAY_BE_CUT:
        widths.pop()  # the sample may end within a row
    if not widths or widths[0] == 1:
        return 0.0, 0
    return Counter(widths)[widths[0]] / len(widths), widths[0]


def _widths(body: str, separator: str) -> Iterator[int]:
    """Give how many values the sampled rows have, up to one with a value that is too long for `csv`."""
    with suppress(csv.Error):
        for row in islice(csv.reader(_open_text(body), delimiter=separator), SAMPLED_ROWS):
            if row:
                yield len(row)
