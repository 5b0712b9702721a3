"""Changes of the business by name: what a stream of customers can be told to go through."""

from collections.abc import Mapping

from penstock.demo.generator import Drift

Change = tuple[str, float, bool]  # column, shift, whether its meaning changes

# Beside each: what an untuned LightGBM of the year before comes to on 2,100 rows after it (ROC AUC; before it 0.79),
# and one that saw half of them too, on the other half.
PRESETS: Mapping[str, tuple[Change, ...]] = {
    # prices rise; who pays much now leaves, and heavy users have found a flat rate elsewhere: 0.55, then 0.83
    "price-rise": (("monthly_fee", 12.0, False), ("monthly_fee", 2.0, True), ("usage_hours", -1.5, True)),
    # the same people, the same prices, and other reasons to leave
    "new-reasons": (("monthly_fee", 2.0, True), ("usage_hours", -1.5, True)),
    # other people sign up, for whom the same holds: inputs drift, and nothing is lost
    "older-customers": (("age", 12.0, False),),
}


def drifts_of(name: str, day: int) -> tuple[Drift, ...]:
    """Return the changes of a preset from a day of the generator's calendar on."""
    return tuple(Drift(day, column, shift, concept) for column, shift, concept in PRESETS[name])
