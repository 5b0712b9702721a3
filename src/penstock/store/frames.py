"""Tables, arrays and fitted models as artifacts: what the workshop reads and writes, and serving never does."""

import io
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from penstock.domain.workspace import Workspace
from penstock.store import artifacts


def save_table(frame: pd.DataFrame, workspace: Workspace) -> str:
    """Keep a table as Parquet (zstd), and return its digest; the same table gives the same digest."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return artifacts.put_bytes(sink.getvalue(), workspace)


def load_table(digest: str, workspace: Workspace, columns: list[str] | None = None) -> pd.DataFrame:
    """Return a table, or some of its columns, as a frame with a RangeIndex."""
    table = pq.read_table(artifacts.local_path(digest, workspace), columns=columns)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def save_array(array: NDArray[Any], workspace: Workspace) -> str:
    """Keep an array as `.npy`, and return its digest."""
    sink = io.BytesIO()
    np.save(sink, np.ascontiguousarray(array), allow_pickle=False)
    return artifacts.put_bytes(sink.getvalue(), workspace)


def load_array(digest: str, workspace: Workspace) -> NDArray[Any]:
    """Return an array, read-only and memory-mapped."""
    loaded: NDArray[Any] = np.load(artifacts.local_path(digest, workspace), mmap_mode="r", allow_pickle=False)
    return loaded


def save_model(model: object, workspace: Workspace) -> str:
    """Keep a fitted Python model, and return its digest."""
    return artifacts.put_bytes(cloudpickle.dumps(model), workspace)


def load_model(digest: str, workspace: Workspace) -> Any:
    """Return a fitted Python model of our own store, verified by its digest."""
    return cloudpickle.loads(artifacts.read_bytes(digest, workspace, verify=True))
