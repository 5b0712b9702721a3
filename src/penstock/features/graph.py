"""The pipeline as an ONNX graph, and the whole way from decoded arrays to scores as one."""

from penstock.features.pipeline import Pipeline
from penstock.graphs import GraphBuilder, join


def features_to_onnx(pipeline: Pipeline) -> bytes:
    """Return a fitted pipeline as a graph.

    Parameters
    ----------
    pipeline
        A fitted pipeline.

    Returns
    -------
    bytes
        A serialised ONNX graph: inputs `numbers` float32 (N, k) and `texts` string (N, m), one of width 0 being
        absent; output `features` float32 (N, n_features), equal to `pipeline.transform`.
    """
    graph = GraphBuilder()
    blocks = [encoder.write(graph, "numbers", "texts") for encoder in pipeline.encoders if encoder.features]
    widths = {"numbers": len(pipeline.number_names), "texts": len(pipeline.text_names)}
    return graph.finish(widths, graph.concat(blocks), "features", len(pipeline.features))


def compose(features: bytes, model: bytes, calibration: bytes | None = None) -> bytes:
    """Join a pipeline's graph, a model's and perhaps a calibrator's.

    Parameters
    ----------
    features
        What `features_to_onnx` gave.
    model
        A graph with input `features` and output `scores`.
    calibration
        A graph with one input of another name and output `scores`, or None.

    Returns
    -------
    bytes
        A serialised ONNX graph from `numbers` and `texts` to `scores`.
    """
    return join([features, model] if calibration is None else [features, model, calibration])
