"""Ways to join embeddings: each passes what the concatenation passes."""

import copy

import keras
import numpy as np
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    MultimodalClassifier,
    fuse_encoders,
    fuse_models,
    load_model,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.fusion import (
    AttentionFusion,
    GatedFusion,
    feature_model,
    fusion_parts,
    fusion_shapes,
)
from tests.toys import make_poster

FUSIONS = {
    "concat": "concat",
    "gated layer": GatedFusion(5, activation="relu"),
    "attention layer": AttentionFusion(6, n_heads=3),
    "layer of Keras": keras.layers.Average(),
}
SIZES = {"concat": 12, "gated layer": 5, "attention layer": 18, "layer of Keras": 4}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    powers = np.exp(x)
    return powers / powers.sum(axis=axis, keepdims=True)


def draw_embeddings(*sizes):
    rng = np.random.default_rng(5)
    return [rng.normal(size=(6, size)).astype("float32") for size in sizes]


def make_encoders():
    return [
        make_poster(head=DenseHead(4, scaling="log"), optional=True),
        BagOfWordsEncoder("tags", head=DenseHead(4), optional=True).fit([["space", "war"], ["a"]]),
        DenseEncoder("year", head=DenseHead(4)).fit([1977, 1997]),
    ]


@pytest.fixture(scope="module")
def encoders():
    return make_encoders()


@pytest.fixture(scope="module", params=FUSIONS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(encoders, name):
    return fuse_encoders(encoders, 2, fusion=FUSIONS[name], modality_dropout=0.3, seed=1)


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


# -- the layers ------------------------------------------------------------------------------


def test_a_gate_of_two_modalities_is_that_of_the_paper():
    one, other = draw_embeddings(3, 4)
    layer = GatedFusion(5)
    joined = np.asarray(layer([one, other]))
    a, b, c, d, gates, bias = layer.get_weights()
    logits = np.hstack([one, other]) @ gates + bias
    gate = sigmoid(logits[:, :5] - logits[:, 5:])
    expected = gate * np.tanh(one @ a + b) + (1 - gate) * np.tanh(other @ c + d)
    np.testing.assert_allclose(joined, expected, atol=1e-6)


def test_gates_of_three_modalities_are_shares_of_each_unit():
    embeddings = draw_embeddings(3, 4, 2)
    layer = GatedFusion(5, activation="linear")
    joined = np.asarray(layer(embeddings))
    *projections, gates, bias = layer.get_weights()
    shares = softmax((np.hstack(embeddings) @ gates + bias).reshape(6, 3, 5), axis=1)
    projected = [
        embedding @ kernel + offset
        for embedding, kernel, offset in zip(
            embeddings, projections[::2], projections[1::2], strict=True
        )
    ]
    np.testing.assert_allclose(joined, (shares * np.stack(projected, 1)).sum(1), atol=1e-6)


def test_attention_is_scaled_dot_product_attention_over_modalities():
    embeddings = draw_embeddings(3, 4)
    layer = AttentionFusion(6, n_heads=2)
    joined = np.asarray(layer(embeddings))
    a, b, c, d, *attention = layer.get_weights()
    tokens = np.stack([embeddings[0] @ a + b, embeddings[1] @ c + d], axis=1)
    query, key, value = (
        np.einsum("nmu,uhd->nhmd", tokens, attention[i]) + attention[i + 1][None, :, None]
        for i in (0, 2, 4)
    )
    shares = softmax(query @ key.transpose(0, 1, 3, 2) / np.sqrt(3), axis=-1)
    attended = np.einsum("nhmd,hdu->nmu", shares @ value, attention[6]) + attention[7]
    np.testing.assert_allclose(joined, (tokens + attended).reshape(6, 12), atol=1e-5)


@pytest.mark.parametrize(
    "layer", [GatedFusion(5, activation="relu"), AttentionFusion(6, n_heads=3)]
)
def test_the_configuration_is_complete(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: GatedFusion(0), "units must be a whole number of at least 1. Received units=0"),
        (lambda: AttentionFusion(2.5), "units must be a whole number"),
        (lambda: AttentionFusion(n_heads=0), "n_heads must be a whole number"),
        (
            lambda: AttentionFusion(10, n_heads=4),
            r"multiple of n_heads\. Received units=10 and n_heads=4; units=8 is one",
        ),
    ],
)
def test_parameters_out_of_range_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


# -- in a model ------------------------------------------------------------------------------


def test_the_layer_is_found_by_its_name(model, name):
    layer = model.get_layer("embeddings")
    assert layer.output.shape == (None, SIZES[name])
    assert list(fusion_parts(model)) == ["poster", "tags", "year"]
    assert all(parts.head is not None for parts in fusion_parts(model).values())


def test_shapes_are_known_before_the_weights_are_made(model, name):
    shapes, size = fusion_shapes(FUSIONS[name], [4, 4, 4])
    assert size == SIZES[name]
    assert shapes == [array.shape for array in model.get_layer("embeddings").get_weights()]


def test_equal_seeds_give_equal_weights_and_others_differ(encoders, name, model):
    again, other = (
        fuse_encoders(encoders, 2, fusion=FUSIONS[name], modality_dropout=0.3, seed=seed)
        for seed in (1, 2)
    )
    weights = [[weight.numpy() for weight in of.trainable_weights] for of in (model, again, other)]
    assert all(map(np.array_equal, weights[0], weights[1]))
    assert not all(map(np.array_equal, weights[0], weights[2]))


def test_a_saved_and_a_cut_model_return_the_same_scores(encoders, model, inputs, tmp_path):
    scores = np.asarray(model(inputs))
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(inputs), scores)
    features = {**inputs, "poster": np.asarray(encoders[0].get_backbone()(inputs["poster"]))}
    np.testing.assert_allclose(feature_model(model)(features), scores, atol=1e-6)


def test_inputs_of_missing_modalities_have_no_effect(model, inputs):
    other = {**inputs, "poster": inputs["poster"].copy()}
    other["poster"][[1, 3]] = 99
    np.testing.assert_array_equal(model(inputs), model(other))


def test_every_trained_weight_has_a_gradient(model, inputs):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = keras.ops.sum(model(inputs, training=False) ** 2)
    # A key's bias moves all logits of a row by the same number, and no row lacks its year.
    variables = [
        variable
        for variable in model.trainable_variables
        if "key/bias" not in variable.path and "year_or_missing" not in variable.path
    ]
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.any(gradient), variable.path


def test_models_of_any_fusion_can_be_fused(model, inputs):
    price = fuse_encoders([DenseEncoder("price").fit([1.0, 2.0])], 2)
    fused = fuse_models([model, price], 2)
    assert fused({**inputs, "price": np.ones((4, 1))}).shape == (4, 2)


@pytest.mark.parametrize(("fusion", "size"), [("gated", 128), ("attention", 192)])
def test_scores_are_float32_under_mixed_precision(fusion, size, inputs):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = fuse_encoders(make_encoders(), 2, fusion=fusion, modality_dropout=0.3, seed=1)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("embeddings").output.dtype == "float16"
    assert model.get_layer("embeddings").output.shape == (None, size)
    assert fusion_shapes(fusion, [4, 4, 4])[1] == size
    assert {weight.dtype for weight in model.get_layer("embeddings").weights} == {"float32"}
    scores = np.asarray(model(inputs, training=True))
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_one_encoder_has_nothing_to_join(encoders):
    model = fuse_encoders(encoders[2:], 2, fusion="gated")
    assert [layer.name for layer in model.layers] == ["year", "year_head", "scores"]


def test_models_share_no_weights_through_a_layer(encoders):
    layer = GatedFusion(3)
    one, other = (fuse_encoders(encoders[1:], 2, fusion=layer, seed=1) for _ in range(2))
    assert not layer.built
    assert one.get_layer("embeddings") is not other.get_layer("embeddings")
    assert copy.deepcopy(layer).get_config() == layer.get_config()


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("fusion", ["sum", None, GatedFusion, np.hstack])
def test_other_objects_are_refused(encoders, fusion):
    match = r"fusion must be one of 'concat', 'gated', 'attention', or a Keras layer .* Received"
    with pytest.raises(ValueError, match=match):
        fuse_encoders(encoders, 2, fusion=fusion)
    with pytest.raises(ValueError, match=match):
        MultimodalClassifier(encoders, fusion=fusion).fit({"year": [1]}, [[1]])


def test_a_layer_that_returns_no_embedding_is_refused(encoders):
    match = "one embedding per row, a tensor of shape .*Received list from <Identity"
    with pytest.raises(ValueError, match=match):
        fuse_encoders(encoders, 2, fusion=keras.layers.Identity())
