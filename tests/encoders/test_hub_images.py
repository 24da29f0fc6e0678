"""Images through networks of KerasHub, compared with the networks themselves."""

import importlib
import json
import shutil

import keras
import numpy as np
import pytest

from multimodal_ensemble import FeatureStore, ImageEncoder, MultimodalClassifier
from multimodal_ensemble.encoders import DenseHead, _keras_hub, split_backbone
from multimodal_ensemble.exceptions import ArtefactError, ModalityError, WeightsUnavailableError
from multimodal_ensemble.features import model_fingerprint
from multimodal_ensemble.saving import check_config
from tests.toys import draw_pixels

PIXELS = draw_pixels(6, 16, 16, 3)
SMALL = {"patch_size": 8, "hidden_dim": 8, "num_layers": 1, "num_heads": 2}
VISION = {**SMALL, "intermediate_dim": 8, "image_shape": (16, 16, 3)}
# The arguments of a network, and the number of tokens in front of those of the four patches; None
# where the network returns feature maps, and a vector for SigLIP.
FAMILIES = {
    "ViTBackbone": ({**SMALL, "mlp_dim": 8, "image_shape": (16, 16, 3)}, 1),
    "DINOV2Backbone": (
        {**VISION, "num_register_tokens": 2, "position_embedding_shape": (16, 16, 3)},
        3,
    ),
    "CLIPVisionEncoder": ({**VISION, "num_layers": 2}, 1),
    "SigLIPVisionEncoder": (VISION, None),
    "ResNetBackbone": (
        {
            "input_conv_filters": [64],
            "input_conv_kernel_sizes": [3],
            "stackwise_num_filters": [64],
            "stackwise_num_blocks": [1],
            "stackwise_num_strides": [1],
            "block_type": "basic_block",
        },
        None,
    ),
    "VGGBackbone": ({"stackwise_num_repeats": [1], "stackwise_num_filters": [8]}, None),
}


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub")


def build(hub, name, **options):
    keras.utils.set_random_seed(1)
    return getattr(hub.models, name)(name="small", **FAMILIES[name][0], **options)


def encode_with(network, **options):
    options = {"image_size": 16, "preprocessing": "unit", "head": DenseHead(3), **options}
    return ImageEncoder("photo", backbone=network, **options)


def run(model, values):
    structure = model.input
    return np.asarray(
        model({next(iter(structure)): values} if isinstance(structure, dict) else values)
    )


def features_of(encoder):
    return run(encoder.get_backbone(), PIXELS)


@pytest.fixture(scope="module")
def folder(hub, tmp_path_factory):
    """Return the folder of a preset with an image converter."""
    folder = tmp_path_factory.mktemp("presets") / "small_vit"
    build(hub, "ViTBackbone").save_to_preset(str(folder))
    converter = hub.layers.ViTImageConverter(
        image_size=(16, 16), scale=[0.01, 0.02, 0.03], offset=[-1.0, 0.0, 1.0],
        interpolation="bicubic",
    )  # fmt: skip
    converter.save_to_preset(str(folder))
    return folder


# -- families ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_features_are_the_pooled_output_of_the_network(name, hub):
    network, n_special = build(hub, name), FAMILIES[name][1]
    output, poolings = run(network, PIXELS.astype("float32") / 255), ("avg", "cls")
    if output.ndim == 2:
        expected = output
    elif output.ndim == 4:
        expected, poolings = output.mean(axis=(1, 2)), ("avg",)
    else:
        mean = output[:, n_special:].mean(axis=1)
        expected = np.hstack([mean, output[:, 0] if n_special else mean])
    encoder = encode_with(network, pooling=poolings)
    np.testing.assert_allclose(features_of(encoder), expected, atol=1e-5)
    # As a saved file restores it.
    config = json.loads(json.dumps(encoder.get_config()))
    check_config(config, where="The encoder")
    restored = ImageEncoder.from_config(config).set_state(encoder.get_state())
    np.testing.assert_allclose(features_of(restored), expected, atol=1e-5)
    # The key of stored features is the same.
    assert model_fingerprint(restored.get_backbone()) == model_fingerprint(encoder.get_backbone())


def test_the_last_block_can_be_trained(hub):
    encoder = encode_with(build(hub, "CLIPVisionEncoder"), trainable_layers=2, pooling="cls")
    backbone = encoder.get_backbone()
    trained = {weight.path.partition("/")[0] for weight in backbone.trainable_weights}
    assert trained == {"small_encoder_block_1", "small_layer_norm"}
    parts = split_backbone(backbone)
    assert parts.frozen.output_shape == (None, 5, 8)
    both = np.asarray(parts.trained(parts.frozen(PIXELS)))
    np.testing.assert_allclose(both, features_of(encoder), atol=1e-6)


@pytest.mark.slow
def test_a_network_that_declares_a_wrong_shape_is_not_stored(hub, tmp_path):
    encoder = encode_with(build(hub, "SigLIPVisionEncoder"), trainable_layers=1)
    with pytest.raises(
        ModalityError, match=r"declares the output shape \(None, 5, 8\) and returns"
    ):
        FeatureStore(tmp_path).get_features(encoder, list(PIXELS), verbose=0)


# -- presets -----------------------------------------------------------------------------------


def test_a_folder_gives_network_size_filter_and_normalisation(folder):
    encoder = ImageEncoder("photo", backbone=folder)
    assert encoder.input_shape == (16, 16, 3)
    assert encoder.encoding_config()["resampling"] == "bicubic"
    network = importlib.import_module("keras_hub").models.Backbone.from_preset(str(folder))
    prepared = PIXELS * np.array([0.01, 0.02, 0.03]) + np.array([-1.0, 0, 1])
    expected = run(network, prepared.astype("float32"))[:, 1:].mean(axis=1)
    np.testing.assert_allclose(features_of(encoder), expected, atol=1e-5)
    # A copy for other processes reads images in the same way.
    large = draw_pixels(1, 30, 20, 3)
    small = encoder.without_backbone()
    np.testing.assert_array_equal(small.encode(large), encoder.encode(large))
    by_converter = ImageEncoder(
        "photo",
        backbone=network,
        preprocessing=importlib.import_module("keras_hub").layers.ImageConverter.from_preset(
            str(folder)
        ),
    )
    np.testing.assert_allclose(features_of(by_converter), expected, atol=1e-5)
    np.testing.assert_array_equal(by_converter.encode(large), encoder.encode(large))
    any_size = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3)])
    by_converter.set_params(backbone=any_size)
    assert by_converter.input_shape == (16, 16, 3)


@pytest.mark.slow
def test_a_saved_file_needs_no_folder(hub, folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    data = {"photo": list(PIXELS)}
    y = np.stack([np.arange(6) % 2, np.arange(6) % 3 == 0], axis=1).astype(int)
    encoder = ImageEncoder("photo", backbone=moved, head=DenseHead(3))
    classifier = MultimodalClassifier(
        [encoder], epochs=1, validation_fraction=None, threshold=None, random_state=1, verbose=0
    ).fit(data, y)
    expected = classifier.predict_proba(data)
    classifier.save(tmp_path / "whole")
    classifier.save(tmp_path / "small", include_backbones=False)
    loaded = MultimodalClassifier.load(tmp_path / "small")
    np.testing.assert_allclose(loaded.predict_proba(data), expected, atol=1e-6)
    weights = tmp_path / "other.weights.h5"
    (moved / "model.weights.h5").rename(weights)
    shutil.rmtree(moved)
    loaded = MultimodalClassifier.load(tmp_path / "whole")
    np.testing.assert_allclose(loaded.predict_proba(data), expected, atol=1e-6)
    with pytest.raises(
        WeightsUnavailableError, match=r"include_backbones=False.*weights=\{'photo'"
    ):
        MultimodalClassifier.load(tmp_path / "small")
    loaded = MultimodalClassifier.load(tmp_path / "small", weights={"photo": weights})
    np.testing.assert_allclose(loaded.predict_proba(data), expected, atol=1e-6)


@pytest.mark.slow
def test_the_images_network_of_a_preset_for_images_and_texts_is_used(hub, tmp_path):
    vision = build(hub, "CLIPVisionEncoder")
    text = hub.models.CLIPTextEncoder(
        vocabulary_size=10, embedding_dim=8, hidden_dim=8, num_layers=1, num_heads=2,
        intermediate_dim=8, max_sequence_length=6,
    )  # fmt: skip
    both = hub.models.CLIPBackbone(vision, text, projection_dim=4)
    both.save_to_preset(str(tmp_path / "clip"))
    encoder = ImageEncoder("photo", backbone=tmp_path / "clip", preprocessing="unit", pooling="cls")
    expected = run(vision, PIXELS.astype("float32") / 255)[:, 0]
    np.testing.assert_allclose(features_of(encoder), expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"takes images and texts.*model\.vision_encoder"):
        ImageEncoder("photo", backbone=both)
    text.save_to_preset(str(tmp_path / "text"))
    with pytest.raises(ModalityError, match=r"must take RGB images.*It is a model of texts"):
        _ = ImageEncoder("photo", backbone=tmp_path / "text").input_shape
    # This preset has no image converter.
    with pytest.raises(
        ModalityError, match=r"does not tell how its images are prepared\. Pass prep"
    ):
        ImageEncoder("photo", backbone=tmp_path / "clip").get_backbone()


@pytest.mark.slow
def test_a_folder_of_hugging_face_gives_the_same_settings(hub, tmp_path):
    config = {
        "model_type": "vit", "architectures": ["ViTModel"], "image_size": 16, "patch_size": 8,
        "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "intermediate_size": 8,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "qkv_bias": True,
    }  # fmt: skip
    processor = {
        "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2], "resample": 3,
        "size": {"height": 16, "width": 16},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    encoder = ImageEncoder("photo", backbone=tmp_path, weights=None, seed=1)
    assert encoder.input_shape == (16, 16, 3)
    assert encoder.encoding_config()["resampling"] == "bicubic"
    prepare = encoder.get_backbone().get_layer("preprocessing")
    expected = (PIXELS / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.5, 0.25, 0.2])
    np.testing.assert_allclose(prepare(PIXELS), expected, atol=1e-5)
    again = ImageEncoder("photo", backbone=tmp_path, weights=None, seed=1)
    np.testing.assert_array_equal(features_of(again), features_of(encoder))


# -- bad values --------------------------------------------------------------------------------


def test_without_keras_hub_a_preset_is_refused_with_the_way_to_install_it(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(_keras_hub, "import_module", refuse)
    match = r"keras\.applications has no network 'vit_base'.*pip install keras-hub tokenizers"
    with pytest.raises(ValueError, match=match):
        ImageEncoder("photo", backbone="vit_base")


def test_without_a_network_the_other_options_are_named(hub, monkeypatch):
    def refuse(name, **options):
        msg = f"{name}: no route to host"
        raise OSError(msg)

    monkeypatch.setattr(hub.models.Backbone, "from_preset", refuse)
    with pytest.raises(
        WeightsUnavailableError, match=r"'dinov2_small' of 'photo'.*no route.*folder"
    ):
        _ = ImageEncoder("photo", backbone="dinov2_small").input_shape


def test_networks_that_cannot_be_used_are_refused_with_the_way_out(hub, folder):
    vit, vgg = build(hub, "ViTBackbone"), build(hub, "VGGBackbone")
    with pytest.raises(
        ValueError, match=r"no network 'nothing_like_it'.*KerasHub has no preset and"
    ):
        ImageEncoder("photo", backbone="nothing_like_it")
    with pytest.raises(
        ValueError, match=r"object of KerasHub does not tell.*name or folder of its"
    ):
        ImageEncoder("photo", backbone=vit)
    task = hub.models.ViTImageClassifier(backbone=vit, num_classes=2)
    with pytest.raises(ValueError, match=r"is a task of KerasHub.*backbone=task\.backbone"):
        ImageEncoder("photo", backbone=task)
    with pytest.raises(ModalityError, match="pooling='cls' needs a network that returns tokens"):
        encode_with(vgg, pooling="cls").get_backbone()
    with pytest.raises(
        ModalityError, match=r"weights do not fit images of \(24, 24\). Leave image_"
    ):
        _ = ImageEncoder("photo", backbone=folder, image_size=24).input_shape
    with pytest.raises(ValueError, match=r"preprocessing must be one of .*'scale'"):
        encode_with(vit, preprocessing="scale")


def test_only_backbones_and_layers_of_keras_hub_are_loaded_from_files(hub):
    vit = build(hub, "ViTBackbone")
    config = keras.saving.serialize_keras_object(vit)
    check_config(config, where="The model")
    deep = {**config, "config": {**config["config"], "num_layers": 10**6}}
    with pytest.raises(ArtefactError, match=r"describes 1,000,000 blocks of layers"):
        check_config(deep, where="The model")
    for name in ("WordPieceTokenizer", "ViTImageClassifier", "BertTextClassifierPreprocessor"):
        other = {
            "class_name": name,
            "module": "keras_hub",
            "registered_name": f"keras_hub>{name}",
            "config": {},
        }
        with pytest.raises(ArtefactError, match=f"names '{name}' of KerasHub"):
            check_config(other, where="The model")
    function = {
        "class_name": "function",
        "module": "builtins",
        "config": "keras_hub>upload_preset",
        "registered_name": "function",
    }
    with pytest.raises(ArtefactError, match="names 'upload_preset' of KerasHub"):
        check_config(function, where="The model")
