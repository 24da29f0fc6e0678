"""Dropping whole modalities in training."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import DenseEncoder, fuse_encoders
from multimodal_ensemble.fusion import ModalityDropout


def drop(rate, n_modalities, *, n_rows=4000, seed=1, training=True):
    layer = ModalityDropout(rate, seed=seed)
    embeddings = [np.ones((n_rows, 2 + number), dtype="float32") for number in range(n_modalities)]
    return [np.asarray(kept) for kept in layer(embeddings, training=training)]


@pytest.mark.parametrize("n_modalities", [2, 3, 4])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_whole_modalities_are_dropped_but_never_all_of_a_row(rate, n_modalities):
    kept = drop(rate, n_modalities)
    for embedding in kept:
        assert ((embedding > 0).all(axis=1) | (embedding == 0).all(axis=1)).all()
    assert (sum(embedding[:, 0] > 0 for embedding in kept) >= 1).all()


@pytest.mark.parametrize("n_modalities", [2, 3])
@pytest.mark.parametrize("rate", [0.3, 0.8])
def test_the_expected_embedding_equals_that_of_prediction(rate, n_modalities):
    for embedding in drop(rate, n_modalities, n_rows=40_000):
        assert embedding.mean() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_modalities_are_kept_with_the_documented_probability(rate):
    first, _ = drop(rate, 2, n_rows=40_000)
    assert (first[:, 0] > 0).mean() == pytest.approx(1 - rate + rate**2 / 2, abs=0.02)


def test_nothing_is_dropped_in_prediction_at_rate_zero_or_with_one_modality():
    for kept in (drop(0.5, 3, training=False), drop(0, 3), drop(0.9, 1)):
        assert all((embedding == 1).all() for embedding in kept)


def test_equal_seeds_give_equal_draws():
    assert all(map(np.array_equal, drop(0.5, 2, seed=3), drop(0.5, 2, seed=3)))
    assert not np.array_equal(drop(0.5, 2, seed=3)[0], drop(0.5, 2, seed=4)[0])


def test_a_rate_out_of_range_is_refused():
    with pytest.raises(ValueError, match="rate must be at least 0 and below 1"):
        ModalityDropout(1.0)


@pytest.mark.parametrize("rate", [-0.1, 1, "often"])
def test_fuse_encoders_refuses_a_rate_out_of_range(rate):
    x = DenseEncoder("x").fit([1.0, 2.0])
    with pytest.raises(ValueError, match="modality_dropout must be at least 0 and below 1"):
        fuse_encoders([x], 1, modality_dropout=rate)


def test_a_fusion_drops_modalities_only_if_it_has_several(tmp_path):
    x, z = (DenseEncoder(name).fit([1.0, 2.0]) for name in "xz")
    alone = fuse_encoders([x], 1, modality_dropout=0.5)
    assert not any(isinstance(layer, ModalityDropout) for layer in alone.layers)
    both = fuse_encoders([x, z], 1, modality_dropout=0.5, seed=1)
    inputs = {"x": np.ones((50, 1)), "z": np.ones((50, 1))}
    scores = np.asarray(both(inputs, training=True))
    assert len(np.unique(scores)) > 1
    both.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), both(inputs))
    assert loaded.get_layer("modality_dropout").rate == 0.5
