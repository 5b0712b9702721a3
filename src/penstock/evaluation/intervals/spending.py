"""How much error a look may spend, when the same thing is looked at again and again.

The first look spends 80 % of the error that may be spent; the k-th spends 6 / (pi^2 (k - 1)^2) of the rest. The shares
of all looks to come add up to 1 (Euler 1735), so by the union bound (Bonferroni 1936) all looks together err no more
often than the error asks for, however many there are; alpha spending after Lan and DeMets (1983).
"""

import math

FIRST_SHARE = 0.8


def spend(look: int, error: float) -> float:
    """Return the error that a look may spend, of all that may be spent.

    Parameters
    ----------
    look
        1 for the first look, and so on.
    error
        One minus the confidence, 0 to 1.

    Returns
    -------
    float
        The one-sided error of this look's interval.
    """
    if look == 1:
        return error * FIRST_SHARE
    return error * (1 - FIRST_SHARE) * 6 / (math.pi * (look - 1)) ** 2
