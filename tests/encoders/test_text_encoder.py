"""`TextEncoder` compared with a transformer in NumPy, on tiny models of random weights."""

import functools
import json
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from sklearn.base import clone

from multimodal_ensemble import FeatureStore, MultimodalDataset, TextEncoder, fuse_encoders
from multimodal_ensemble.encoders._read_text_source import read_tokenizer
from multimodal_ensemble.encoders._text_layers import TokenPooling
from multimodal_ensemble.exceptions import ModalityError, WeightsUnavailableError
from multimodal_ensemble.fusion import fusion_parts
from multimodal_ensemble.saving import check_config
from multimodal_ensemble.testing import check_encoder
from tests.text_models import make_tokenizer, make_weights, token_vectors, write_folder

keras_hub = pytest.importorskip("keras_hub")
pytest.importorskip("safetensors")

TEXTS = ["a cat sat on the mat", "", "war in space", "Dog", "the zebra", "a cat " * 20]
SHORT = TEXTS[:-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    write_folder(path)
    return path


@pytest.fixture(scope="module")
def weights():
    return make_weights()


@pytest.fixture(scope="module")
def encoder(folder):
    return TextEncoder("title", backbone=folder).fit(SHORT)


def small_backbone(kind="DistilBertBackbone", **options):
    sizes = {"vocabulary_size": 14, "num_layers": 1, "num_heads": 2}
    sizes |= {"hidden_dim": 8, "intermediate_dim": 16, "max_sequence_length": 32}
    return getattr(keras_hub.models, kind)(**sizes | options)


def ids_of(text):
    return make_tokenizer().encode(text).ids


def features(encoder, texts):
    return np.asarray(encoder.get_backbone()(encoder.encode(texts)))


def to_length_1(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


POOLED = {
    "mean": lambda x: x.mean(axis=0),
    "cls": lambda x: x[0],
    "max": lambda x: x.max(axis=0),
    "last": lambda x: x[-1],
}


@pytest.mark.parametrize("pooling", POOLED)
def test_features_are_those_of_a_transformer_in_numpy(pooling, encoder, weights):
    pooled = clone(encoder).set_params(pooling=pooling)
    expected = [POOLED[pooling](token_vectors(weights, ids_of(text))) for text in SHORT]
    np.testing.assert_allclose(features(pooled, SHORT), to_length_1(expected), atol=1e-5)
    raw = pooled.set_params(normalize=False)
    np.testing.assert_allclose(features(raw, SHORT), expected, atol=1e-5)


def test_padding_does_not_change_features(encoder):
    alone = np.concatenate([features(encoder, [text]) for text in SHORT])
    np.testing.assert_allclose(features(encoder, SHORT), alone, atol=1e-6)


def test_ids_are_those_of_the_tokenizer_and_padded_to_the_longest_text(encoder):
    encoded = encoder.encode(SHORT)
    assert encoded.dtype == np.int32
    assert encoded.shape == (len(SHORT), max(len(ids_of(text)) for text in SHORT))
    for row, text in zip(encoded, SHORT, strict=True):
        ids = ids_of(text)
        assert row.tolist() == ids + [0] * (len(row) - len(ids))


@pytest.mark.parametrize(
    ("options", "meaning"),
    [
        ({}, "token ids of a text, padded with pad_id at the end"),
        ({"windows": True}, "token ids of parts, of at most max_length tokens, of a text, "),
        ({"items": "mean"}, "token ids of several texts, .*; -1 throughout absent texts"),
    ],
)
def test_the_meaning_of_an_exported_input_says_what_its_axes_are(options, meaning, encoder):
    described = clone(encoder).set_params(**options).input_description()
    assert re.match(meaning, described["meaning"])


def test_an_empty_text_has_features_of_its_own(encoder):
    empty, blank, missing = features(encoder, ["", "  ", "zebra"])
    np.testing.assert_allclose(empty, blank, atol=1e-6)
    assert np.abs(empty - missing).max() > 0.01


@pytest.mark.parametrize("pooling", POOLED)
def test_a_text_without_tokens_has_zeros_whatever_the_padding(pooling):
    vectors = np.arange(12.0, dtype="float32").reshape(1, 6, 2)
    pool = TokenPooling(pooling, pad_id=0)
    assert not np.any(pool([vectors, np.zeros((1, 6), dtype="int32")]))


def test_half_precision(folder):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        tags = TextEncoder("tags", backbone=folder, items="mean")
        # A list is padded with texts without tokens.
        assert np.isfinite(features(tags, [["war", "cat"], ["war"]])).all()
        pool = TextEncoder("title", backbone=folder).get_backbone().get_layer("pooling")
        assert pool.compute_dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)


def test_a_list_or_array_of_strings_is_one_text(encoder):
    as_array = np.array(["war", "space"], dtype=object)
    expected = encoder.encode(["war, space"])
    for value in (["war", "space"], as_array):
        assert (encoder.encode([value]) == expected).all()


def test_half_a_surrogate_pair_is_an_unknown_character(encoder):
    assert (encoder.encode(["war \ud800"]) == encoder.encode(["war ?"])).all()


def test_threads_tokenize_to_different_lengths(encoder):
    def lengths(limit):
        limited = clone(encoder).set_params(max_length=limit, windows=True)
        rows = [limited.prepare(TEXTS * 5) for _ in range(20)]
        return {max(len(window) for text in row for window in text) for row in rows}

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lengths, [5, 6, 7, 8])) == [{5}, {6}, {7}, {8}]


def test_a_limit_above_that_of_the_backbone_is_refused(encoder):
    with pytest.raises(ModalityError, match=r"at most 32 tokens. Received max_length=33"):
        clone(encoder).set_params(max_length=33).fit(SHORT)


def test_long_texts_are_shortened_and_reported_once(encoder):
    short = clone(encoder).set_params(max_length=6)
    with pytest.warns(UserWarning, match="2 of 6 texts in 'title' exceed 6 tokens .* has 42") as w:
        shortened = short.encode(TEXTS)
    assert "windows=True" in str(w[0].message)
    assert w[0].filename == __file__
    assert shortened.shape == (6, 6)
    assert (shortened[0] == [2, *ids_of(TEXTS[0])[1:5], 3]).all()
    short.encode(TEXTS)


def test_windows_are_averaged_by_their_number_of_tokens(encoder, weights):
    windowed = clone(encoder).set_params(windows=True, max_length=6)
    assert windowed.input_shape == (None, None)
    for text, row in zip(TEXTS, features(windowed, TEXTS), strict=True):
        ids = ids_of(text)[1:-1]
        parts = [[2, *ids[at : at + 4], 3] for at in range(0, max(1, len(ids)), 4)]
        means = [token_vectors(weights, part).mean(axis=0) for part in parts]
        expected = np.average(means, axis=0, weights=[len(part) for part in parts])
        np.testing.assert_allclose(row, to_length_1(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "pooling"),
    [("pooling_mode_cls_token", "cls"), ("pooling_mode_max_tokens", "max"), (None, "mean")],
)
def test_a_folder_names_the_pooling_and_length(mode, pooling, tmp_path):
    write_folder(tmp_path / "model", pooling=mode, max_length=9)
    source = TextEncoder("title", backbone=str(tmp_path / "model"))._get_source()
    assert (source.pooling, source.max_length) == (pooling, 9)


def test_an_unknown_pooling_is_refused(tmp_path):
    write_folder(tmp_path / "model", pooling="pooling_mode_weightedmean_tokens")
    with pytest.raises(ModalityError, match=r"weightedmean.*pooling=\.\.\."):
        TextEncoder("title", backbone=tmp_path / "model").fit(SHORT)


@pytest.mark.slow
def test_the_encoder_keeps_its_contract(encoder):
    check_encoder(clone(encoder), SHORT)


@pytest.mark.parametrize("kind", ["BertBackbone", "GPT2Backbone"])
def test_backbone_objects_are_copied_and_restored(kind):
    backbone = small_backbone(kind)
    encoder = TextEncoder("title", backbone=backbone, tokenizer=make_tokenizer())
    expected = features(encoder, SHORT)
    alone = np.concatenate([features(encoder, [text]) for text in SHORT])
    np.testing.assert_allclose(expected, alone, atol=1e-5)
    assert backbone.trainable
    assert not encoder.get_backbone().trainable_weights
    restored = TextEncoder.from_config(json.loads(json.dumps(encoder.get_config())))
    restored.set_state(encoder.get_state())
    np.testing.assert_array_equal(features(restored, SHORT), expected)
    again = restored.set_params(tokenizer=make_tokenizer())
    np.testing.assert_array_equal(features(again, SHORT), expected)


@pytest.mark.slow
def test_tokenizers_of_keras_hub(tmp_path):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "##s", "war"]
    make = functools.partial(keras_hub.models.DistilBertTokenizer, vocabulary, lowercase=True)
    tokenizer = make()
    backbone = small_backbone(vocabulary_size=9)
    with pytest.raises(ModalityError, match="must not pad texts itself"):
        TextEncoder("title", backbone=backbone, tokenizer=make(sequence_length=8)).fit([])
    encoder = TextEncoder("title", backbone=backbone, tokenizer=tokenizer, max_length=5)
    with pytest.warns(UserWarning, match="exceed 5 tokens"):
        encoded = encoder.encode(["A cats", "", "a a a a war"])
    assert encoded.tolist() == [[2, 5, 6, 7, 3], [2, 3, 0, 0, 0], [2, 5, 5, 5, 3]]
    config = encoder.get_config()
    check_config(config, where="The encoder")
    loaded = TextEncoder.from_config(config).set_state(encoder.get_state())
    assert clone(loaded).set_params(weights=None).encode(["cats"]).tolist() == [[2, 6, 7, 3]]
    backbone.save_to_preset(str(tmp_path / "preset"))
    tokenizer.save_to_preset(str(tmp_path / "preset"))
    read = TextEncoder("title", backbone=tmp_path / "preset").fit([])
    np.testing.assert_allclose(features(read, ["a cat"]), features(encoder, ["a cat"]), atol=1e-6)
    copy = TextEncoder.from_config(read.get_config()).set_state(
        {**read.get_state(), "backbone_weights": read.get_backbone().get_weights()}
    )
    (tmp_path / "preset").rename(tmp_path / "moved")
    np.testing.assert_allclose(features(copy, ["cats"]), features(encoder, ["cats"]), atol=1e-6)
    small = pickle.loads(pickle.dumps(copy.without_backbone()))
    assert small.encode(["a war"]).tolist() == [[2, 5, 8, 3]]


def test_a_clone_reads_no_files(folder, tmp_path):
    write_folder(tmp_path / "model")
    first = TextEncoder("title", backbone=tmp_path / "model").fit(SHORT)
    (tmp_path / "model").rename(tmp_path / "moved")
    np.testing.assert_array_equal(features(clone(first), SHORT), features(first, SHORT))


def test_a_store_computes_each_text_once_and_sorts_by_length(encoder, tmp_path, capsys):
    store = FeatureStore(tmp_path, batch_size=2, dtype="float32")
    stored = store.get_features(encoder, SHORT)
    assert "features of 5 texts of 'title' with tiny" in capsys.readouterr().out
    np.testing.assert_allclose(stored, features(encoder, SHORT), atol=1e-6)
    # Another limit changes neither the ids of these texts nor the network.
    assert store.count_uncomputed(clone(encoder).set_params(max_length=12), SHORT) == 0
    assert store.count_uncomputed(clone(encoder).set_params(pooling="max"), SHORT) == 5
    assert store.count_uncomputed(encoder, ["A CAT sat on the mat", "mat"]) == 1


def test_a_pass_pads_only_to_texts_of_similar_length(encoder, tmp_path, monkeypatch):
    texts = [" ".join(["cat"] * n) for n in (1, 9, 2, 8, 3, 7)]
    widths = []
    encode = TextEncoder.encode

    def encode_and_note(self, values):
        encoded = encode(self, values)
        widths.append(encoded.shape[1])
        return encoded

    monkeypatch.setattr(TextEncoder, "encode", encode_and_note)
    FeatureStore(tmp_path, batch_size=2).get_features(encoder, texts, verbose=0)
    assert widths == [4, 9, 11]


@pytest.mark.slow
def test_training_changes_only_the_last_block(encoder):
    tuned = clone(encoder).unfreeze(1)
    layers = {layer.name: layer for layer in tuned.get_backbone().get_layer("tiny").layers}
    names = ["token_embedding", "embeddings_layer_norm", "transformer_layer_0"]
    before = {name: layers[name].get_weights() for name in names}
    rows = MultimodalDataset({"title": SHORT}, [tuned], [[0], [1], [1], [0], [0]], batch_size=5)
    model = fuse_encoders([tuned], 1, seed=1)
    # No single tensor in front of the block holds the vectors and the mask.
    assert tuned.frozen_part() is None
    assert fusion_parts(model)["title"].frozen is None
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", run_eagerly=True)
    model.train_on_batch(*rows[0])
    same = {
        name: all(map(np.array_equal, before[name], layers[name].get_weights())) for name in names
    }
    assert same == dict(zip(names, [True, True, False], strict=True))
    assert not tuned.has_named_weights
    restored = TextEncoder.from_config(tuned.get_config()).set_state(tuned.get_state())
    np.testing.assert_allclose(features(restored, SHORT), features(tuned, SHORT), atol=1e-6)
    # Its copies must not know what was learned from these rows.
    np.testing.assert_array_equal(features(clone(restored), SHORT), features(encoder, SHORT))
    with pytest.raises(ValueError, match="has 5 layers to train, not 99"):
        tuned.unfreeze(99)


def test_a_frozen_backbone_object_can_be_unfrozen():
    backbone = small_backbone()
    backbone.trainable = False
    encoder = TextEncoder("title", backbone=backbone, tokenizer=make_tokenizer())
    assert not encoder.get_backbone().trainable_variables
    assert len(encoder.unfreeze(1).get_backbone().trainable_variables) == 16


def test_weights_of_another_folder(encoder, tmp_path):
    other = write_folder(tmp_path / "other", seed=1)
    # Only the weights are needed.
    (tmp_path / "other" / "tokenizer.json").unlink()
    replaced = clone(encoder).set_params(weights=tmp_path / "other")
    expected = token_vectors(other, ids_of("war")).mean(axis=0)
    np.testing.assert_allclose(features(replaced, ["war"])[0], to_length_1(expected), atol=1e-5)


def test_a_network_that_depends_on_padding_is_refused():
    backbone = small_backbone("XLNetBackbone")
    encoder = TextEncoder("title", backbone=backbone, tokenizer=make_tokenizer())
    with pytest.raises(ModalityError, match="depend on the padding"):
        encoder.get_backbone()


def test_a_network_with_other_inputs_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    encoder = TextEncoder("title", backbone=model, tokenizer=make_tokenizer())
    with pytest.raises(ModalityError, match="must take token_ids and padding_mask"):
        encoder.fit(SHORT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": 3}, "backbone must be a folder"),
        ({"max_length": 3}, "max_length must be a whole number of at least 4"),
        ({"pooling": "sum"}, "pooling must be one of"),
        ({"normalize": "l2"}, "normalize must be one of"),
        ({"windows": 1.5}, "windows must be one of"),
        ({"trainable_layers": -1}, "trainable_layers must be"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TextEncoder("title", **{"backbone": "folder", **options})


def test_a_backbone_object_needs_a_tokenizer():
    with pytest.raises(ModalityError, match=r"pass tokenizer=\.\.\."):
        TextEncoder("title", backbone=small_backbone()).fit(SHORT)


def test_a_folder_that_does_not_exist():
    with pytest.raises(WeightsUnavailableError, match="neither a folder nor a preset"):
        TextEncoder("title", backbone="no/such/folder").fit(SHORT)


def test_a_model_that_keras_hub_cannot_read(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "mpnet"}')
    with pytest.raises(WeightsUnavailableError, match=r"type 'mpnet'.* bert, distilbert, roberta"):
        TextEncoder("title", backbone=tmp_path).fit(SHORT)


def test_a_folder_without_a_tokenizer(tmp_path):
    write_folder(tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").unlink()
    with pytest.raises(WeightsUnavailableError, match=r"no tokenizer for 'title'.* tokenizer.json"):
        TextEncoder("title", backbone=tmp_path / "model").fit(SHORT)


def test_a_tokenizer_of_another_model_is_refused():
    backbone = small_backbone(vocabulary_size=13)
    with pytest.raises(ModalityError, match="ids up to 13, and its backbone knows 13 tokens"):
        TextEncoder("title", backbone=backbone, tokenizer=make_tokenizer()).fit(SHORT)


@pytest.mark.parametrize("content", [b"{bad", b"[]", b"\xff\xfe\x00", b"{}"])
def test_damaged_files_of_a_folder_are_named(content, tmp_path):
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsUnavailableError, match=r"tokenizer\.json"):
        read_tokenizer(tmp_path, modality="title")
    with pytest.raises(WeightsUnavailableError, match=r"config\.json.* damaged|cannot load"):
        TextEncoder("title", backbone=tmp_path).fit(SHORT)


@pytest.mark.parametrize("value", [3, None, ["a", 2], {"a": 1}])
def test_a_value_that_is_no_text_is_refused(value, encoder):
    with pytest.raises(
        ModalityError, match=r"expects a text, or a list of strings.* row 1"
    ) as error:
        encoder.prepare(["cat", value])
    assert error.value.row == 1


def test_a_list_of_columns_is_refused():
    with pytest.raises(ModalityError, match=r"'title' reads one column\..*'a', 'b'"):
        TextEncoder("title", column=["a", "b"], backbone="folder")


def test_a_length_that_the_network_cannot_take_is_refused(encoder):
    with pytest.raises(ModalityError, match=r"at most 32 tokens\. Received max_length=33"):
        clone(encoder).set_params(max_length=33).fit(SHORT)


def test_clones_with_other_limits_work_in_threads(encoder):
    limits = [6, 30, 6, 30]
    copies = [clone(encoder).set_params(max_length=limit, windows=True) for limit in limits]

    def longest(copy):
        encoded = [copy.encode(["a cat sat on the mat " * 9] * 20) for _ in range(30)]
        return max(rows.shape[2] for rows in encoded)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(longest, copies)) == limits


def test_a_text_of_a_list_that_is_no_text_is_named(encoder):
    tags = clone(encoder).set_params(items="mean", optional=True)
    with pytest.raises(ModalityError, match=r"None as item 1 \(from 0\) of the list in row 1\. "):
        tags.encode([["cat"], ["war", None]])
    with pytest.raises(ModalityError, match=r"'war' \(str\) in row 1\."):
        tags.find_missing([None, "war"])
    assert tags.content_digests([]) == []


def test_an_empty_text_without_any_token_is_an_item():
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 1, "?": 0}, unk_token="?"))
    backbone = small_backbone("GPT2Backbone")
    tags = TextEncoder("tags", backbone=backbone, tokenizer=words, items="mean")
    vector = features(tags, [["a"]])
    np.testing.assert_allclose(features(tags, [["a", ""]]), vector / 2, atol=1e-6)


def test_a_folder_is_found_from_other_working_directories(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    config = TextEncoder("title", backbone="tiny", weights="tiny").get_config()
    assert (config["backbone"], config["weights"]) == (str(folder), str(folder))
