"""Tables in memory, as a search takes them."""

import numpy as np
import pandas as pd

from penstock.tabular.learning import Table, describe, plan_table


def test_a_feature_may_have_any_name() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({name: draw.normal(size=40) for name in ("target", "target_", "other")})
    table = Table(frame, np.arange(40) % 2, "binary", ("no", "yes"))
    plan = plan_table(table)
    assert [column.name for column in plan.used] == ["target", "target_", "other"]
    assert describe(table, plan).target not in frame
