"""What of a body is let in."""

import msgspec
import pytest

from penstock.serving.http.exchange import Problem, decoded
from penstock.serving.nesting import AT_THE_DOOR

ANYTHING = msgspec.json.Decoder()


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_a_body_nests_as_deep_as_it_may_and_no_deeper() -> None:
    decoded(ANYTHING, nested(AT_THE_DOOR), "")
    with pytest.raises(Problem) as refused:
        decoded(ANYTHING, nested(AT_THE_DOOR + 1), "")
    assert (refused.value.status, str(refused.value)) == (400, "JSON must nest at most 64 deep, but nests 65 deep.")


def test_a_body_that_ends_too_early_is_no_json_however_many_rows_it_has() -> None:
    with pytest.raises(Problem, match="but is not"):
        decoded(ANYTHING, b'{"rows": [' + b'{"a": [1]},' * 1000, "")
