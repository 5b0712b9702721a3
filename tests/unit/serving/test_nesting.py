"""How deep JSON nests is found without decoding it."""

import json
import random
from typing import Any

import pytest

from penstock.serving.nesting import depth_of, need_depth

TEXTS = ("", "]", "[[{", '"', '\\"[', "\\", "\\\\]", 'a": {', "\u00fc}")


def made(levels: int, chance: random.Random) -> Any:
    """Return a value that nests so deep, with texts of brackets and quotes beside the way."""
    beside: list[Any] = [chance.choice(TEXTS) for _ in range(chance.randrange(3))]
    if levels == 0:
        return chance.choice(TEXTS)
    if chance.random() < 0.5:
        return [*beside, made(levels - 1, chance), *beside]
    values = [*beside, made(levels - 1, chance)]
    return {f"{chance.choice(TEXTS)}{number}": value for number, value in enumerate(values)}


@pytest.mark.parametrize("seed", range(50))
def test_the_depth_is_that_of_the_value_whatever_its_texts_hold(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  no secret
    levels = chance.randrange(1, 60)
    text = json.dumps(made(levels, chance), indent=chance.choice([None, 1, 3])).encode()
    assert depth_of(text) == levels
    need_depth(text, levels)
    with pytest.raises(RecursionError, match=f"at most {levels - 1} deep, but nests {levels} deep"):
        need_depth(text, levels - 1)


@pytest.mark.parametrize("times", [1, 32, 33, 40_000])
@pytest.mark.parametrize(
    ("opening", "closing", "levels"),
    [
        (b"[", b"]", 1),
        (b'["]",', b"]", 1),  # texts that seem to close what they lie in
        (b'{"a":', b"}", 1),
        (b'{"a" :\r\n\t {"b":1,"c":', b"}}", 2),
        (b'[{"a":', b"}]", 2),
    ],
)
def test_each_way_to_nest_is_seen(opening: bytes, closing: bytes, levels: int, times: int) -> None:
    text, depth = opening * times + b"0" + closing * times, levels * times
    need_depth(text, depth)
    with pytest.raises(RecursionError, match=f"nests {depth} deep"):
        need_depth(text, depth - 1)


def test_any_number_of_rows_is_flat() -> None:
    text = json.dumps({"rows": [{"age": 1, "plan": "[[[["}] * 5000}).encode()
    assert depth_of(text) == 3
    need_depth(text, 64)
