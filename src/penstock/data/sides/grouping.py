"""Which rows belong together: those of one id, or without an id those with the same features."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from penstock.data.contract_file import used_columns
from penstock.data.sides.digests import Digests, row_digests, value_digests
from penstock.data.sides.repeats import alike_by_chance, is_counter, tell_apart
from penstock.data.types.canonical import names_of
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec
from penstock.store import records

FEWEST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Likeness:
    """The columns that make two rows alike, and whether rows that are alike are one thing (`together`)."""

    columns: tuple[str, ...]
    together: bool


def find_likeness(frame: pd.DataFrame, spec: ProjectSpec, workspace: Workspace) -> Likeness:
    """Return what makes rows alike: as the project's first split had it, as long as its columns are all there.

    Running numbers, the id, and columns that no model may use do not make rows different.
    """
    first = records.find_record("likeness", "rows", spec.name, Likeness, workspace)
    if first is not None and set(first.columns) <= set(frame.columns):
        return first
    left_out = {spec.target, spec.id, *spec.columns.drop, *spec.columns.forbidden}
    used = (name for name in used_columns(names_of(frame), spec) if name not in left_out)
    columns = tuple(name for name in used if not is_counter(frame[name]))
    columns = columns or tuple(name for name in names_of(frame) if name not in {spec.target, spec.id})
    found = {name: value_digests(frame[name]) for name in columns}
    likeness = Likeness(columns, not alike_by_chance(found, len(frame)))
    records.save_record("likeness", "rows", spec.name, likeness, workspace)
    return likeness


def group_digests(frame: pd.DataFrame, identity: str | None, likeness: Likeness) -> Digests:
    """Return which rows belong together, shape (n_rows,).

    Rows that are alike by chance are told apart by their order among their likes, which later rows do not change.
    """
    content = row_digests(frame, likeness.columns)
    if not likeness.together:
        content = tell_apart(content)
    if identity is None:
        return content
    return np.where(frame[identity].isna().to_numpy(), content, row_digests(frame, [identity]))
