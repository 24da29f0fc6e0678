"""The parts of fusion models by modality, for any names of modalities."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import DenseEncoder, fuse_encoders, fuse_models, load_model
from multimodal_ensemble.encoders import FeatureScaling
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import adapt_heads, feature_model, fusion_parts


def summarize(model):
    """Return the names of the layers of each modality."""
    return {
        name: [
            getattr(layer, "name", None)
            for layer in (parts.backbone, parts.seam, parts.head, parts.or_missing)
        ]
        for name, parts in fusion_parts(model).items()
    }


def number(name, **options):
    return DenseEncoder(name, **options).fit([1.0, 2.0])


EXPECTED = {
    "poster": ["poster_backbone", "poster_features", "poster_head", None],
    "tags": [None, None, "tags_head", None],
    "year": [None, None, "year_head", "year_or_missing"],
}


@pytest.fixture
def model(poster, tags):
    return fuse_encoders([poster, tags, number("year", optional=True)], n_labels=2, seed=1)


@pytest.fixture
def fused(poster, tags):
    models = [
        fuse_encoders([encoder], n_labels=2, name=name)
        for encoder, name in (
            (poster, "scores"),
            (tags, "embeddings"),
            (number("year", optional=True), "third"),
        )
    ]
    return fuse_models([fuse_models(models[:2], n_labels=2), models[2]], n_labels=2)


@pytest.mark.parametrize("making", ["model", "fused"])
def test_a_model_and_its_saved_copy_have_the_parts_of_each_modality(request, tmp_path, making):
    model = request.getfixturevalue(making)
    assert summarize(model) == EXPECTED
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert summarize(loaded) == EXPECTED
    parts = fusion_parts(loaded)["poster"]
    assert parts.backbone is loaded.get_layer("poster_backbone")
    assert parts.frozen is parts.backbone
    assert parts.trained is None


def test_a_model_that_was_cut_has_no_backbone(model, tmp_path):
    short = feature_model(model)
    expected = {**EXPECTED, "poster": [None, "poster_features", "poster_head", None]}
    assert summarize(short) == expected
    short.save(tmp_path / "short.keras")
    assert summarize(load_model(tmp_path / "short.keras")) == expected


def test_a_backbone_may_have_any_name(poster, batch):
    backbone = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()], name="anything")
    poster.get_backbone = lambda: backbone
    parts = fusion_parts(fuse_encoders([poster], n_labels=2))["poster"]
    assert parts.backbone is backbone


def test_other_models_have_modalities_without_parts():
    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1)])
    assert summarize(model) == {"x": [None] * 4}


NAMES = ["a", "a_or_missing", "a_head", "a_features", "a_present", "b_head", "head", "a_or"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("optional", [True, False])
def test_a_modality_may_be_named_like_a_layer_of_another(name, optional):
    model = fuse_encoders([number(name, optional=optional), number("c")], n_labels=2)
    assert summarize(model) == {
        name: [None, None, f"{name}_head", f"{name}_or_missing" if optional else None],
        "c": [None, None, "c_head", None],
    }


@pytest.mark.parametrize("name", ["a_or_missing", "a_head", "a_present"])
@pytest.mark.parametrize("swapped", [True, False])
def test_names_of_two_modalities_that_clash_are_refused(name, swapped):
    encoders = [number("a", optional=True), number(name)]
    encoders = encoders[::-1] if swapped else encoders
    with pytest.raises(ModalityError, match=rf"the name\(s\) \['{name}'\].*Rename"):
        fuse_encoders(encoders, n_labels=2)
    models = [fuse_encoders([encoder], n_labels=2) for encoder in encoders]
    with pytest.raises(ModalityError, match=rf"\['{name}'\] belong to more than one.*own name"):
        fuse_models(models, n_labels=2)


def test_a_plain_layer_named_like_a_head_of_another_model_is_renamed():
    plain = keras.Sequential(
        [keras.Input((3,), name="x"), keras.layers.Dense(4, name="a_head"), keras.layers.Dense(2)],
        name="plain",
    )
    models = [plain, fuse_encoders([number("a")], n_labels=2)]
    for ordered in (models, models[::-1]):
        fused = fuse_models(ordered, n_labels=2)
        assert fusion_parts(fused)["a"].head is fused.get_layer("a_head")
        assert fused.get_layer("plain_a_head").kernel.shape == (3, 4)


def test_a_head_that_adapts_once_needs_adapting_until_then():
    model = fuse_encoders([number("a", head=lambda feature_shape: FeatureScaling())], n_labels=2)
    assert fusion_parts(model)["a"].needs_adapting
    adapt_heads(model, {"a": np.array([[1.0], [3.0]])})
    assert not fusion_parts(model)["a"].needs_adapting
