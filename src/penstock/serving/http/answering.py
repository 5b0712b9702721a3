"""From the body of a predict call to its answer and its line in the journal."""

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from penstock.data.decoding import RowErrors, shown
from penstock.serving.http.exchange import Problem, decoded, detail, encoder
from penstock.serving.http.routes import LiveVersion, Route
from penstock.serving.journal import Journal
from penstock.serving.session import Answer

logger = logging.getLogger(__name__)

MOST_ROWS = 10_000


class Asked(msgspec.Struct):
    """The body of a predict call, its rows still as they were sent."""

    rows: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows with their answers, before they are journalled.

    `rows` is JSON of the rows without the columns that nobody knows, `others` has those, an object for each row, if
    there are any; `caller` is the value of the id column; `failed` is the version that should have answered, where
    another had to; `expired` is the version that would have answered, had its weight been renewed in time.
    """

    live: LiveVersion
    rows: bytes
    answers: list[Answer]
    caller: Any
    others: list[dict[str, Any]]
    pinned: bool
    failed: LiveVersion | None
    expired: LiveVersion | None = None

    @property
    def unknown(self) -> dict[str, int]:
        """How many rows carried each column that nobody knows."""
        return dict(Counter(name for row in self.others for name in row))


_asked = msgspec.json.Decoder(Asked)
_anything = msgspec.json.Decoder()


def pinned_version(route: Route, pin: bytes | None) -> LiveVersion | None:
    """Return the live version that a header asks for, None without a header.

    Raises
    ------
    Problem
        404 if it is not live, or if nothing answers.
    """
    if pin is None:
        if not route.shares:
            raise Problem(404, f"Project {route.project!r} has no version that answers yet.")
        return None
    version = pin.decode("latin-1")
    if version not in route.live:
        live = ", ".join(route.live) or "none"
        raise Problem(404, f"Version {shown(version)} of {route.project!r} is not live. Live: {live}.")
    return route.live[version]


def answer_rows(route: Route, pinned: LiveVersion | None, body: bytes) -> Answered:
    """Predict the rows of a request.

    Parameters
    ----------
    route
        What answers for the project; `pinned`, if there is one, answers instead.
    body
        The request's body.

    Returns
    -------
    Answered

    Raises
    ------
    Problem
        400 if the body is not JSON, 422 if a row does not fit, 413 if there are too many.
    """
    sent = decoded(_asked, body, "be an object with `rows`, a list of rows").rows
    rows = _rows(decoded(_anything, sent, ""))
    main = pinned or route.shares[0][1]
    caller = _caller(rows[0], main.bundle.signature.id_column)
    drawn = pinned or route.draw(caller) or main
    expired = drawn if pinned is None and route.has_lapsed(drawn) else None
    chosen = route.champion or main if expired is not None else drawn
    try:
        live, answers = _predict(route, chosen, rows, pinned=pinned is not None)
    except RowErrors as errors:
        raise Problem(422, errors.message, errors.details) from errors
    kept, others = _known_part(live, rows, bytes(sent))
    failed = chosen if live is not chosen else None
    return Answered(live, kept, answers, caller, others, pinned is not None, failed, expired)


def write_down(answered: Answered, route: Route, journal: Journal, at: datetime, seconds: float) -> tuple[str, bytes]:
    """Journal an answer, and return its request id and the body that may then leave.

    Parameters
    ----------
    answered
        Rows and answers.
    route
        Of which project, by which release.
    journal
        Where they are written, with one call of the kernel.
    at
        The time that windows read.
    seconds
        How long the answer took.

    Raises
    ------
    Problem
        503 if the journal cannot be written: no answer leaves that it does not hold.
    """
    request_id = journal.ids.next()
    version, predictions = encoder.encode(answered.live.version), encoder.encode(answered.answers)
    rest = b'"at":"%s","project":"%s","version":%s,"release":%d,"latency_ms":%.3f%s,"rows":%s,"predictions":%s}' % (
        at.isoformat().encode(),
        route.project.encode(),
        version,
        route.release,
        seconds * 1000,
        _extras(answered),
        answered.rows,
        predictions,
    )
    try:
        journal.append(route.project, request_id, rest)
    except OSError as error:
        logger.exception("The journal of %s cannot be written.", route.project)
        raise Problem(503, "The journal must hold every answer, but cannot be written. Look into the log.") from error
    body = b'{"request_id":"%s","version":%s,"predictions":%s}' % (request_id.encode(), version, predictions)
    return request_id, body


def _rows(rows: Any) -> list[Any]:
    if not isinstance(rows, list) or not rows:
        must = "be a list of at least one row"
        raise Problem(422, f"`rows` must {must}, but is {shown(rows)}.", [detail(None, None, must, shown(rows))])
    if len(rows) > MOST_ROWS:
        raise Problem(413, f"A request must have at most {MOST_ROWS} rows, but has {len(rows)}. Send it in parts.")
    return rows


def _predict(route: Route, chosen: LiveVersion, rows: list[Any], *, pinned: bool) -> tuple[LiveVersion, list[Answer]]:
    try:
        return chosen, chosen.bundle.predict_rows(rows)
    except Exception as error:
        reserve = route.reserve
        if pinned or reserve is None or reserve is chosen:
            raise
        if not isinstance(error, RowErrors):  # rows that the champion takes are the challenger's fault too
            logger.exception("Version %s of %s failed, so %s answers.", chosen.version, route.project, reserve.version)
        return reserve, reserve.bundle.predict_rows(rows)


def _caller(row: Any, column: str | None) -> Any:
    if column is None or not isinstance(row, dict):
        return None
    value = row.get(column)
    return value if isinstance(value, (str, int, float)) else None


def _known_part(live: LiveVersion, rows: list[dict[str, Any]], sent: bytes) -> tuple[bytes, list[dict[str, Any]]]:
    """Return the rows to journal, as they were sent where nothing is left out, and what is left out of each."""
    known = live.bundle.known
    if all(row.keys() <= known for row in rows):
        # an entry is one line, so rows that were sent over several are written anew
        return (encoder.encode(rows) if b"\n" in sent or b"\r" in sent else sent), []
    kept = [{name: row[name] for name in row if name in known} for row in rows]
    return encoder.encode(kept), [{name: row[name] for name in row if name not in known} for row in rows]


def _extras(answered: Answered) -> bytes:
    extras: dict[str, Any] = {}
    if answered.caller is not None:
        extras["id"] = answered.caller
    if answered.pinned:
        extras["pinned"] = True
    if answered.others:
        extras["unknown"], extras["others"] = answered.unknown, answered.others
    if answered.failed is not None:
        extras["failed"] = answered.failed.version
    if answered.expired is not None:
        extras["expired"] = answered.expired.version
    return b"," + encoder.encode(extras)[1:-1] if extras else b""
