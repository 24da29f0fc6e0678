"""Estimators with a `TextEncoder`: saved files need no folder, and exports take token ids."""

import json

import keras
import numpy as np
import pytest

from multimodal_ensemble import (
    DenseEncoder,
    FeatureStore,
    MultimodalEnsemble,
    TextEncoder,
    infer_encoders,
)
from multimodal_ensemble.encoders._hub_tokenizer import HubTokenizer
from multimodal_ensemble.encoders._text_source import TextSource
from multimodal_ensemble.estimators import _export
from multimodal_ensemble.exceptions import ArtefactError, WeightsUnavailableError
from multimodal_ensemble.saving import check_config
from tests.text_models import WORDS, make_tokenizer, write_folder

pytest.importorskip("keras_hub")
pytest.importorskip("safetensors")

GENERATOR = np.random.default_rng(0)
TITLES = [" ".join(GENERATOR.choice(WORDS, GENERATOR.integers(1, 9))) for _ in range(40)]
X = {"title": TITLES, "year": list(range(40))}
Y = np.array([["war" in title, "cat" in title] for title in TITLES]).astype(int)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    write_folder(path)
    return path


@pytest.fixture(scope="module")
def ensemble(folder):
    encoders = [TextEncoder("title", backbone=folder), DenseEncoder("year")]
    return MultimodalEnsemble(encoders, random_state=0, verbose=0).fit(X, Y)


@pytest.mark.slow
def test_a_file_is_loaded_where_there_is_no_folder(ensemble, folder, tmp_path):
    expected = ensemble.predict_proba(X)
    ensemble.save(tmp_path / "model")
    moved = folder.rename(folder.with_name("moved"))
    try:
        loaded = MultimodalEnsemble.load(tmp_path / "model")
    finally:
        moved.rename(folder)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)


def test_a_file_without_weights_takes_them_from_a_folder(ensemble, folder, tmp_path):
    ensemble.save(tmp_path / "model", include_backbones=False)
    expected = ensemble.predict_proba(X)
    moved = folder.rename(folder.with_name("moved"))
    try:
        with pytest.raises(WeightsUnavailableError, match=r"weights=\{'title': path\}"):
            MultimodalEnsemble.load(tmp_path / "model")
        loaded = MultimodalEnsemble.load(tmp_path / "model", weights={"title": moved})
        np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    finally:
        moved.rename(folder)
    write_folder(tmp_path / "other", seed=1)
    with pytest.raises(ArtefactError, match="other weights than it was trained with"):
        MultimodalEnsemble.load(tmp_path / "model", weights={"title": tmp_path / "other"})


def test_an_export_has_the_tokenizer_of_the_encoder(ensemble, tmp_path, monkeypatch):
    monkeypatch.setitem(_export._EXPORTS, "litert", lambda model, path: path.touch())
    ensemble.export(tmp_path / "model", format="litert")
    described = json.loads((tmp_path / "model.json").read_text())["inputs"]["title"]
    assert described["files"] == ["model.title.tokenizer.json"]
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / described["files"][0]))
    assert tokenizer.padding["pad_id"] == described["pad_id"]
    ids = [encoding.ids for encoding in tokenizer.encode_batch(TITLES)]
    np.testing.assert_array_equal(ids, ensemble.encoders_[0].encode(TITLES))


@pytest.mark.slow
def test_an_exported_model_takes_token_ids(ensemble, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    ensemble.export(tmp_path / "model.onnx", format="onnx")
    described = json.loads((tmp_path / "model.onnx.json").read_text())["inputs"]["title"]
    assert described["files"] == ["model.onnx.title.tokenizer.json"]
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / described["files"][0]))
    assert tokenizer.padding["pad_id"] == described["pad_id"]
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    year = ensemble.encoders_[1].encode(X["year"])
    expected = ensemble.predict_proba(X)
    for rows in (slice(0, 5), slice(5, 40)):
        ids = [encoding.ids for encoding in tokenizer.encode_batch(TITLES[rows])]
        inputs = {"title": np.array(ids, dtype=np.int32), "year": year[rows]}
        np.testing.assert_allclose(session.run(None, inputs)[0], expected[rows], atol=1e-4)


def test_infer_encoders_uses_a_language_model_for_sentences(capsys):
    data = {"plot": ["a cat sat on the mat", "war in space", "a dog"], "name": ["Al", "B C", "D"]}
    plot, name = infer_encoders(data)
    assert type(plot).__name__ == type(name).__name__ == "BagOfWordsEncoder"
    printed = capsys.readouterr().out.splitlines()
    assert "text_backbone='folder'" in printed[3]
    assert "text_backbone" not in printed[4]
    data["plot"][1] = None
    plot, name = infer_encoders(data, text_backbone="models/minilm", verbose=0)
    assert isinstance(plot, TextEncoder)
    assert plot.get_params()["backbone"] == "models/minilm"
    assert plot.optional
    assert type(name).__name__ == "BagOfWordsEncoder"


@pytest.mark.parametrize("argument", ["vocabulary", "merges", "proto"])
def test_a_tokenizer_that_names_a_file_is_refused(argument):
    config = {"registered_name": "keras_hub>BertTokenizer", "config": {argument: "/etc/hostname"}}
    state = {"config": json.dumps(config), "files": {}}
    with pytest.raises(ArtefactError, match="no tokenizer of KerasHub with files of its own"):
        HubTokenizer.from_state(state, where="The tokenizer")


def test_only_layers_of_keras_hub_may_be_named():
    config = {
        "module": "keras_hub.src.utils.preset_utils",
        "class_name": "KerasPresetLoader",
        "registered_name": None,
        "config": {},
    }
    with pytest.raises(ArtefactError, match="KerasPresetLoader"):
        check_config(config, where="The network")


def test_a_network_is_checked_before_any_layer_is_made(tmp_path):
    (tmp_path / "words").write_text("secret")
    layer = keras.layers.StringLookup(vocabulary=["a"])
    config = keras.saving.serialize_keras_object(layer)
    config["config"]["vocabulary"] = str(tmp_path / "words")
    read = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.layers.StringLookup, "from_config", read.append)
        with pytest.raises(ArtefactError, match="would read its vocabulary"):
            TextSource.from_state({"network": json.dumps(config)}, [], modality="title")
    assert read == []


def test_an_optional_text_may_be_missing(folder):
    encoder = TextEncoder("title", backbone=folder, tokenizer=make_tokenizer(), optional=True)
    assert encoder.find_missing(["a", "", None, np.nan]).tolist() == [False, False, True, True]


def test_tags_are_averaged_and_each_is_computed_once(folder, tmp_path):
    encoder = TextEncoder("tags", backbone=folder, items="mean")
    single = TextEncoder("tag", backbone=folder)
    tags = [["war", "in space"], ["war"], {"a cat": 2, "war": 1}]
    store = FeatureStore(tmp_path, dtype="float32")
    assert store.count_uncomputed(encoder, tags) == 3
    features = store.get_features(encoder, tags, verbose=0)
    war, space, cat = store.get_features(single, ["war", "in space", "a cat"], verbose=0)
    expected = [(war + space) / 2, war, (2 * cat + war) / 3]
    np.testing.assert_allclose(features, expected, atol=1e-6)
    computed = np.asarray(encoder.get_backbone()(encoder.encode(tags)))
    np.testing.assert_allclose(features, computed, atol=1e-5)
    with pytest.raises(ValueError, match="items"):
        encoder.unfreeze(1)


def test_an_empty_tag_counts_where_the_model_has_no_padding(folder, tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.post_processor = None
    vocabulary = json.loads(tokenizer.to_str())
    vocabulary["model"]["vocab"] = {"<none>": 0, "[UNK]": 1, "cat": 2}
    tags = TextEncoder("tags", backbone=folder, tokenizer=json.dumps(vocabulary), items="mean")
    lists = [["cat", ""], ["cat"]]
    stored = FeatureStore(tmp_path, dtype="float32").get_features(tags, lists, verbose=0)
    np.testing.assert_allclose(tags.get_backbone()(tags.encode(lists)), stored, atol=1e-6)
    np.testing.assert_allclose(stored[0], stored[1] / 2, atol=1e-6)
