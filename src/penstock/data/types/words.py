"""What is read off a text: its first words, and its looks; needs numpy alone."""

import re
from collections.abc import Callable

import numpy as np

TEXT_PARTS = ("letters", "digits", "capitals", "marks")
LOOKED_AT = 1000  # letters of a text that are looked at one by one
_WORD = re.compile(r"\w+")


def words(text: str, tokens: int) -> list[str]:
    """Return the first `tokens` words in lower case, padded with ""."""
    found = _WORD.findall(text.lower())[:tokens]
    return found + [""] * (tokens - len(found))


def looks(text: str, parts: tuple[str, ...]) -> list[float]:
    """Return how long a text is, how many digits it has, and its shares of capitals and marks; NaN for none."""
    if not text:
        return [np.nan] * len(parts)
    seen = text[:LOOKED_AT]
    share = 1.0 / len(seen)
    kinds: dict[str, Callable[[], float]] = {
        "letters": lambda: float(len(text)),
        "digits": lambda: float(sum(map(str.isdigit, seen))),
        "capitals": lambda: sum(map(str.isupper, seen)) * share,
        "marks": lambda: (len(seen) - sum(map(str.isalnum, seen)) - sum(map(str.isspace, seen))) * share,
    }
    return [kinds[part]() for part in parts]
