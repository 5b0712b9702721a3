"""Request ids."""

import time
import uuid

import pytest

from penstock.serving.journals.request_ids import RequestIds, is_request_id, seconds_of


def test_ids_ascend_as_text() -> None:
    ids = RequestIds()
    given = [ids.next() for _ in range(5000)]
    assert given == sorted(set(given))


def test_ids_ascend_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = RequestIds()
    first = ids.next()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert ids.next() > first


def test_an_id_is_a_uuid_of_version_7_that_tells_its_time() -> None:
    given = RequestIds().next()
    parsed = uuid.UUID(given)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, given)
    assert abs(seconds_of(given) - time.time()) < 5


RANDOM = "85a3d2e0-c169-4b0d-9e44-96dc3a9576f4"  # of version 4


DASHES = "-" * 14 + "7" + "-" * 21
LONG = "01a1fec6-884a-7740-808f-77743db742bf\n"


@pytest.mark.parametrize(
    "text", ["", "x" * 36, "../../etc/passwd", RANDOM, str(uuid.UUID(int=0)).upper(), DASHES, LONG]
)
def test_other_text_is_no_id(text: str) -> None:
    assert not is_request_id(text)
    assert is_request_id(RequestIds().next())
