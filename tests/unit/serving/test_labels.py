from pathlib import Path
from typing import Any

import pytest

from penstock.data.decoding import RowErrors
from penstock.domain.workspace import Workspace
from penstock.serving.journals.request_ids import RequestIds
from penstock.serving.labels import accept_labels
from tests.unit.serving.stand_in import keep_version, release


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), float("inf"), True, "3"])
def test_a_value_that_no_regression_can_learn_from_is_refused(value: Any, workspace: Workspace, tmp_path: Path) -> None:
    keep_version("1", workspace, tmp_path / "1", "regression")
    release("1", workspace)
    given = {"request_id": RequestIds().next(), "row": 0, "value": value}
    with pytest.raises(RowErrors, match="`value` of label 0 must be a number"):
        accept_labels("churn", [given], "http", workspace)
    assert accept_labels("churn", [given | {"value": 10**300}], "http", workspace).unknown == 1
