"""Learned vectors for missing modalities, and the dropout that trains them."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    fuse_encoders,
    fuse_models,
    load_model,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import MissingModality, ModalityDropout, feature_model
from tests.toys import make_poster


def draws(present, rate=0.5, n=4000):
    columns = [np.full((n, 1), there, dtype="float32") for there in present]
    dropped = ModalityDropout(rate, seed=1, presence=True)(columns, training=True)
    return np.concatenate([keras.ops.convert_to_numpy(column) for column in dropped], axis=1)


def test_dropout_keeps_at_least_one_modality_of_each_row():
    kept = draws([1, 0, 1])
    assert set(map(tuple, kept)) == {(1, 0, 1), (1, 0, 0), (0, 0, 1)}
    # Each of two modalities is kept with probability 1 - rate + rate**2 / 2.
    assert kept[:, 0].mean() == pytest.approx(1 - 0.5 + 0.5**2 / 2, abs=0.03)


def test_the_only_modality_of_a_row_is_never_dropped():
    assert (draws([0, 1, 0], rate=0.9) == [0, 1, 0]).all()


def test_a_row_without_modalities_is_unchanged():
    assert not draws([0, 0]).any()


def test_prediction_drops_nothing():
    present = [np.ones((5, 1)), np.zeros((5, 1))]
    for column, kept in zip(
        present, ModalityDropout(0.9, seed=1, presence=True)(present), strict=True
    ):
        np.testing.assert_array_equal(kept, column)


@pytest.mark.parametrize("rate", [-0.1, 1, "often"])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"rate must be at least 0 and below 1. Received rate="):
        ModalityDropout(rate, presence=True)


@pytest.fixture
def encoders():
    return [
        make_poster(head=DenseHead(5), optional=True),
        BagOfWordsEncoder("tags", head=DenseHead(3), optional=True).fit(
            [["space", "war"], ["love"]]
        ),
        DenseEncoder("year", head=DenseHead(2)).fit([1977, 1997]),
    ]


@pytest.fixture
def inputs():
    rng = np.random.default_rng(3)
    return {
        "poster": rng.integers(0, 256, (4, 8, 8, 3)).astype("float32"),
        "tags": rng.integers(0, 2, (4, 3)).astype("float32"),
        "year": rng.normal(size=(4, 1)).astype("float32"),
        "poster_present": np.array([[1], [0], [1], [0]], dtype="float32"),
        "tags_present": np.array([[1], [1], [0], [0]], dtype="float32"),
    }


def set_learned(model, **vectors):
    for name, value in vectors.items():
        learned = model.get_layer(f"{name}_or_missing").learned
        learned.assign(np.full(learned.shape, value))


@pytest.mark.parametrize("modality_dropout", [0, 0.3])
def test_a_learned_vector_replaces_the_embedding_of_a_missing_modality(
    encoders, inputs, modality_dropout
):
    model = fuse_encoders(encoders, 2, modality_dropout=modality_dropout, seed=1)
    set_learned(model, poster=0.25, tags=-0.5)
    heads = {
        "poster": model.get_layer("poster_head")(
            model.get_layer("poster_backbone")(inputs["poster"])
        ),
        "tags": model.get_layer("tags_head")(inputs["tags"]),
        "year": model.get_layer("year_head")(inputs["year"]),
    }
    poster, tags, year = (np.array(head) for head in heads.values())
    poster[[1, 3]], tags[[2, 3]] = 0.25, -0.5
    scores = model.get_layer("scores")(np.concatenate([poster, tags, year], axis=1))
    np.testing.assert_allclose(model(inputs), scores, atol=1e-6)


def test_inputs_of_missing_modalities_have_no_effect(encoders, inputs):
    model = fuse_encoders(encoders, 2, seed=1)
    other = {**inputs, "poster": inputs["poster"].copy()}
    other["poster"][[1, 3]] = 99
    np.testing.assert_array_equal(model(inputs), model(other))


def test_modality_dropout_gives_each_modality_a_vector_if_one_is_optional(encoders):
    def learned(model):
        return {layer.name for layer in model.layers if isinstance(layer, MissingModality)}

    names = {"poster_or_missing", "tags_or_missing"}
    assert learned(fuse_encoders(encoders, 2)) == names
    assert learned(fuse_encoders(encoders, 2, modality_dropout=0.1)) == {
        *names,
        "year_or_missing",
    }
    assert learned(fuse_encoders(encoders[2:], 2, modality_dropout=0.1)) == set()


def test_dropout_trains_the_vectors_of_modalities_that_are_never_missing(encoders, inputs):
    inputs["poster_present"][:] = inputs["tags_present"][:] = 1
    model = fuse_encoders(encoders, 2, modality_dropout=0.5, seed=1)
    model.compile("sgd", "binary_crossentropy")
    model.fit(inputs, np.eye(4, 2), epochs=5, verbose=0)
    for name in ("poster", "tags", "year"):
        assert np.any(model.get_layer(f"{name}_or_missing").learned.numpy() != 0)


@pytest.mark.parametrize("modality_dropout", [0, 0.3])
def test_a_model_with_missing_modalities_can_be_saved_cut_and_fused(
    encoders, inputs, tmp_path, modality_dropout
):
    model = fuse_encoders(encoders, 2, modality_dropout=modality_dropout, seed=1)
    set_learned(model, poster=0.25, tags=-0.5)
    scores = np.array(model(inputs))
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(inputs), scores)
    features = {**inputs, "poster": np.array(encoders[0].get_backbone()(inputs["poster"]))}
    np.testing.assert_allclose(feature_model(model)(features), scores, atol=1e-6)
    alone = fuse_encoders(
        [DenseEncoder("price", optional=True).fit([1.0, 2.0])], 2, modality_dropout=modality_dropout
    )
    fused = fuse_models([model, alone], 2)
    price = {"price": np.ones((4, 1)), "price_present": np.zeros((4, 1))}
    assert fused({**inputs, **price}).shape == (4, 2)


def test_a_modality_with_the_name_of_a_presence_input_is_refused():
    tags = BagOfWordsEncoder("tags", optional=True).fit([["space"]])
    clash = DenseEncoder("tags_present").fit([1.0, 2.0])
    with pytest.raises(ModalityError, match=r"the name\(s\) \['tags_present'\]. Rename"):
        fuse_encoders([tags, clash], 2)


@pytest.mark.parametrize("optional", [True, False])
def test_modalities_are_dropped_in_mixed_precision(encoders, inputs, optional):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        given = encoders[1:]
        given[0].set_params(optional=optional)
        model = fuse_encoders(given, 2, modality_dropout=0.3, seed=1)
        inputs = {tensor.name: inputs[tensor.name] for tensor in model.inputs}
        assert model(inputs, training=True).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
