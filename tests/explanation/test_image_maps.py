"""Occlusion against brute force, and Grad-CAM against a gradient by hand."""

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from multimodal_ensemble import (
    BagOfWordsEncoder,
    ImageEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
)
from multimodal_ensemble._figures import AGAINST, FOR
from multimodal_ensemble.encoders import split_at_feature_map
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.explanation import ImageMap
from tests.toys import make_network, make_poster

SIZE, N_ROWS = 8, 24
IMAGES = np.random.default_rng(0).integers(0, 256, (N_ROWS, SIZE, SIZE, 3)).astype(np.uint8)
TABLE = pd.DataFrame({"poster": list(IMAGES), "tags": [["war"], ["love"], []] * 8})
LABELS = [["Action"], ["Romance"]] * 12
ROW = TABLE[:1]


@pytest.fixture(scope="module")
def ensemble():
    encoders = [
        make_poster(optional=True),
        make_poster("again", seed=2, column="poster", size=4, optional=True),
    ]
    ensemble = MultimodalEnsemble([*encoders, BagOfWordsEncoder("tags")], verbose=0, random_state=0)
    return ensemble.fit(TABLE, LABELS)


@pytest.fixture(scope="module")
def network():
    encoders = [make_poster(network=make_network(seed=1)), BagOfWordsEncoder("tags")]
    network = MultimodalClassifier(encoders, epochs=1, optimizer="sgd", verbose=0, random_state=0)
    return network.fit(TABLE, LABELS)


@pytest.fixture(params=["ensemble", "network"])
def estimator(request):
    return request.getfixturevalue(request.param)


def cover(image, rows, columns):
    covered = image.copy()
    covered[rows, columns] = image.reshape(-1, 3).mean(axis=0).round()
    return covered


def test_occlusion_is_the_fall_if_a_region_is_covered(network):
    (found,) = network.explain_image(ROW, "Action", n_regions=4)
    assert found.values.shape == (4, 4)
    for row, column in [(0, 0), (1, 3), (3, 2)]:
        regions = slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2)
        covered = ROW.assign(poster=[cover(IMAGES[0], *regions)])
        fall = network.decision_function(ROW) - network.decision_function(covered)
        np.testing.assert_allclose(found.values[row, column], fall[0, 0], atol=1e-4)


@pytest.mark.slow
def test_all_encoders_of_a_column_are_covered_at_once(ensemble):
    """The second encoder sees a smaller image, of which the same quarter is covered."""
    (found,) = ensemble.explain_image(ROW, "Action", n_regions=2)
    images = {each.name: each.encode([IMAGES[0]])[0] for each in ensemble.encoders_[:2]}
    table = pd.DataFrame({"poster": [images["poster"]], "again": [images["again"]]})
    for encoder in ensemble.encoders_[:2]:
        # The encoders are the same, but read a column each.
        encoder.column = encoder.name
    table["tags"] = [["war"]]
    half = slice(0, 4), slice(4, 8)
    small = slice(0, 2), slice(2, 4)
    covered = table.assign(
        poster=[cover(images["poster"], *half)], again=[cover(images["again"], *small)]
    )
    fall = ensemble.decision_function(table) - ensemble.decision_function(covered)
    for encoder in ensemble.encoders_[:2]:
        encoder.column = "poster"
    np.testing.assert_allclose(found.values[0, 1], fall[0, 0], atol=1e-4)


@pytest.mark.slow
def test_stored_features_change_nothing(network, tmp_path):
    (plain,) = network.explain_image(ROW, "Action", n_regions=2)
    network.set_params(store=tmp_path)
    (stored,) = network.explain_image(ROW, "Action", n_regions=2)
    network.set_params(store=None)
    np.testing.assert_allclose(stored.values, plain.values, atol=1e-3)


def test_grad_cam_is_the_gradient_of_a_linear_head():
    """For linear layers on a mean of the map, the gradient is known."""
    encoder = make_poster(network=make_network(seed=1), head=lambda shape: keras.layers.Identity())
    network = MultimodalClassifier([encoder], epochs=1, optimizer="sgd", verbose=0, random_state=0)
    network.fit(TABLE[["poster"]], LABELS)
    (found,) = network.explain_image(ROW, "Romance", method="grad_cam")
    feature_map = make_network(seed=1)(IMAGES[:1].astype(np.float32)).numpy()[0]
    kernel, _ = network.model_.get_layer("scores").get_weights()
    gradient = kernel[:, 1] / feature_map[..., 0].size
    np.testing.assert_allclose(found.values, np.maximum(feature_map @ gradient, 0), atol=1e-5)
    assert found.method == "grad_cam"


def test_grad_cam_of_an_ensemble_of_a_nested_network(ensemble):
    (found,) = ensemble.explain_image(ROW, "Action", method="grad_cam")
    assert found.values.shape == (6, 6)
    assert (found.values >= 0).all()


def test_a_network_is_split_at_its_last_feature_map():
    network = make_network()
    pixels = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(network(pixels))
    nested = keras.Model(pixels, keras.layers.Dense(2)(pooled))
    before, after = split_at_feature_map(nested)
    assert before.output_shape == (None, 6, 6, 4)
    batch = IMAGES[:2].astype(np.float32)
    np.testing.assert_allclose(after(before(batch)), nested(batch), atol=1e-6)


def test_rows_without_an_image_have_no_map(ensemble):
    rows = TABLE[:3].assign(poster=[IMAGES[0], None, IMAGES[2]])
    assert [each.row for each in ensemble.explain_image(rows, "Action", n_regions=2)] == [0, 2]


def test_the_largest_region_and_the_figure():
    values = np.array([[0.0, 0.1, 0.0], [0.0, 0.0, 3.0], [0.0, -5.0, 0.0]])
    found = ImageMap("film", "War", "poster", np.zeros((9, 9, 3), np.uint8), values, "occlusion")
    assert found.largest_region() == (slice(3, 6), slice(6, 9))
    assert repr(found) == "ImageMap('War', row 'film', occlusion)"
    figure = found.plot()
    frame = figure.axes[1].patches[0]
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (5.5, 2.5, 3)
    colours = figure.axes[1].images[1].get_cmap()
    assert [to_hex(colours(place)) for place in (0.0, 1.0)] == [AGAINST, FOR]


@pytest.mark.parametrize(("method", "value"), [("grad_cam", 0.0), ("occlusion", -1.0)])
def test_no_region_has_a_frame_if_none_speaks_for_the_label(method, value):
    image, values = np.zeros((4, 4, 3), np.uint8), np.full((2, 2), value)
    figure = ImageMap(0, "War", "poster", image, values, method).plot()
    assert not figure.axes[1].patches


def test_bad_arguments_are_refused(network):
    with pytest.raises(ValueError, match=r"Labels must be among .*'War'"):
        network.explain_image(ROW, "War")
    with pytest.raises(ValueError, match="method"):
        network.explain_image(ROW, "Action", method="saliency")
    with pytest.raises(ValueError, match="n_regions"):
        network.explain_image(ROW, "Action", n_regions=1)
    with pytest.raises(ValueError, match=r"'poster' has images of 8 x 8 pixels. Received 9"):
        network.explain_image(ROW, "Action", n_regions=9)
    with pytest.raises(ModalityError, match=r"one of \['poster'\]. Received 'tags'"):
        network.explain_image(ROW, "Action", column="tags")


def test_estimators_without_images_are_refused():
    ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0)
    ensemble.fit(TABLE[["tags"]], LABELS)
    with pytest.raises(ModalityError, match="No encoder reads single images"):
        ensemble.explain_image(TABLE[["tags"]], "Action")


def test_a_network_without_a_feature_map_has_no_grad_cam():
    flat = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    encoder = ImageEncoder("poster", backbone=flat, preprocessing=None)
    ensemble = MultimodalEnsemble([encoder], verbose=0).fit(TABLE[["poster"]], LABELS)
    with pytest.raises(ModalityError, match="has no feature map"):
        ensemble.explain_image(ROW, "Action", method="grad_cam")
