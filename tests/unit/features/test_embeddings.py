"""What words mean by a static model of a local folder: a toy one is written here and read as any other."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from penstock.domain.features import ColumnPlan, Flavour
from penstock.errors import MissingExtra, NotFound, SpecError
from penstock.features import embeddings
from penstock.features.embeddings import Meanings, learn_meanings, model_digest
from penstock.features.graph import features_to_onnx
from penstock.features.pipeline import Pipeline, build_pipeline

KIND = [f"kind{number}" for number in range(300)]
RUDE = [f"rude{number}" for number in range(300)]
COLUMN = ColumnPlan("note", "string", "text", "", tokens=3)


def write_model(folder: Path, table: str = "embeddings", more: dict[str, NDArray[Any]] | None = None) -> Path:
    """Write a static model of eight directions, in the first of which kind words differ from rude ones."""
    folder.mkdir(parents=True)
    names = ["[UNK]", *KIND, *RUDE, "##ly"]
    tokenizer = Tokenizer(models.WordPiece({name: place for place, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    vectors = np.random.default_rng(0).normal(size=(len(names), 8)).astype(np.float32) / 4
    vectors[1:301, 0] += 2
    vectors[301:601, 0] -= 2
    save_file({table: vectors, **(more or {})}, folder / "model.safetensors")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def notes(words: range, count: int, seed: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return texts of two words of one sort and a word that nobody knows, and which sort it is."""
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 2, count)
    sides = np.where(kind[:, None] == 1, draw.choice(KIND[words.start : words.stop], (count, 2)), "")
    rude = np.where(kind[:, None] == 0, draw.choice(RUDE[words.start : words.stop], (count, 2)), "")
    said = np.where(sides == "", rude, sides)
    return np.hstack([said, np.full((count, 1), "zzz")]).astype(object), kind


def pipeline_of(flavour: Flavour, words: NDArray[Any], y: NDArray[Any], known: dict[str, Meanings]) -> Pipeline:
    pipeline = build_pipeline((COLUMN,), flavour, 2, meanings=known)
    pipeline.fit_transform(np.empty((len(words), 0), np.float32), words, y)
    return pipeline


def told(pipeline: Pipeline, words: NDArray[Any], y: NDArray[np.int64], mark: str) -> float:
    """Return how much the best feature of a name says of the sort of texts, as a correlation."""
    found = pipeline.transform(np.empty((len(words), 0), np.float32), words)
    places = [place for place, name in enumerate(pipeline.feature_names) if mark in name]
    return max((abs(float(np.corrcoef(found[:, place], y)[0, 1])) for place in places), default=0.0)


@pytest.mark.parametrize("flavour", ["tree", "dense"])
def test_rare_words_say_what_their_neighbours_in_meaning_say(flavour: Flavour, model: Path) -> None:
    words, y = notes(range(300), 200, 1)  # a word comes about once
    pipeline = pipeline_of(flavour, words, y, {"note": learn_meanings(words, model)})
    assert told(pipeline, words, y, "meaning") > 0.9
    assert told(pipeline_of(flavour, words, y, {}), words, y, "direction") < 0.6


@pytest.mark.parametrize("flavour", ["tree", "dense"])
def test_the_graph_gives_the_very_same_sums(flavour: Flavour, model: Path) -> None:
    words, y = notes(range(100), 300, 2)
    pipeline = pipeline_of(flavour, words, y, {"note": learn_meanings(words, model)})
    others, _ = notes(range(50, 150), 200, 3)
    others[0] = ""
    session = onnxruntime.InferenceSession(features_to_onnx(pipeline), providers=["CPUExecutionProvider"])
    expected = pipeline.transform(np.empty((200, 0), np.float32), others)
    assert np.array_equal(session.run(["features"], {"texts": others})[0], expected)
    assert sum("meaning" in name for name in pipeline.feature_names) == 8


def test_a_word_is_the_mean_of_its_tokens_and_a_strange_one_is_left_out(model: Path) -> None:
    embed = embeddings.read_model(model)
    whole, ending = embed("kind1"), embed("kind2ly")
    assert whole is not None
    assert ending is not None
    assert embed("zzz") is None
    ids = Tokenizer.from_file(str(model / "tokenizer.json")).encode("kind2ly").ids
    assert len(ids) == 2
    words, _ = notes(range(10), 50, 4)
    assert "zzz" not in learn_meanings(words, model).words
    strange = learn_meanings(np.full((20, 1), "zzz", object), model)
    assert strange.vectors.shape == (1, 1)


def test_quantised_tables_and_the_other_layout_are_read(model: Path, tmp_path: Path) -> None:
    plain = embeddings.read_model(model)("kind3")
    assert plain is not None
    same = {"mapping": np.arange(602)[::-1].copy(), "weights": np.full(602, 0.5)}
    mapped = embeddings.read_model(write_model(tmp_path / "mapped", more=same))("kind3")
    straight = embeddings.read_model(model)("rude296")  # as far from the end as kind3 is from the beginning
    assert mapped is not None
    assert straight is not None
    assert np.allclose(mapped, 0.5 * straight)
    other = write_model(tmp_path / "other" / "0_StaticEmbedding", "embedding.weight")
    found = embeddings.read_model(other.parent)("kind3")
    assert found is not None
    assert np.array_equal(found, plain)


def test_what_is_no_model_is_said_with_what_to_do(model: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"tokenizer\.json and model\.safetensors.*nothing is fetched"):
        model_digest(tmp_path / "nowhere")
    wrong = write_model(tmp_path / "wrong", "layers.0.weight")
    with pytest.raises(SpecError, match="Only a static model serves"):
        embeddings.read_model(wrong)
    save_file({"embeddings": np.ones((600, 8), np.float32)}, wrong / "model.safetensors")
    with pytest.raises(SpecError, match="each of the 602 tokens"):
        embeddings.read_model(wrong)
    (model / "tokenizer.json").write_text(json.dumps({"version": "1.0"}))
    with pytest.raises(SpecError, match="reading them failed"):
        embeddings.read_model(model)


def test_a_missing_library_is_named_with_its_extra(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"penstock\[embeddings\]"):
        embeddings.read_model(model)


def test_a_changed_model_has_another_digest(model: Path) -> None:
    before = model_digest(model)
    assert model_digest(model) == before
    save_file({"embeddings": np.ones((602, 8), np.float32)}, model / "model.safetensors")
    assert model_digest(model) != before
