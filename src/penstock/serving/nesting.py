"""How deep JSON nests, found before it is decoded: a decoder goes a call down with each level, until its stack ends."""

import numpy as np

AT_THE_DOOR = 64  # rows alone nest 3 deep
IN_THE_JOURNAL = 500  # lines from before there was a door; readers may be as many calls deep, of 1000

BLANKS = b" \t\r\n"
OTHERS = bytes(set(range(256)) - set(b'[]{}"'))
STEPS = np.zeros(256, np.int8)
STEPS[[*b"[{"]] = 1
STEPS[[*b"]}"]] = -1


def need_depth(text: bytes, most: int) -> None:
    """Raise if JSON nests deeper than it may; of rows that hold plain values this costs a look at each byte.

    On the way to the deepest place each array has its bracket, and each object a colon before its brace, but for the
    first one and those that follow an array's bracket: where there are few of these, nothing nests deep.

    Raises
    ------
    RecursionError
        If it does, as of a decoder whose stack ends.
    """
    flat = text.translate(None, BLANKS)
    if 2 * flat.count(b"[") + flat.count(b":{") < most:
        return
    depth = depth_of(text)
    if depth > most:
        raise RecursionError(f"JSON must nest at most {most} deep, but nests {depth} deep.")


def depth_of(text: bytes) -> int:
    """Return how many arrays and objects of JSON lie in one another, where most do."""
    unescaped = text.replace(rb"\\", b"").replace(rb"\"", b"")  # what is a quote then begins or ends a text
    signs = np.frombuffer(unescaped.translate(None, OTHERS), np.uint8)
    steps = STEPS[signs]
    steps[np.logical_xor.accumulate(signs == ord('"'))] = 0
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0))
