"""Rows that are lists of images: pooling against NumPy, order, missing and broken images."""

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from multimodal_ensemble import (
    MultimodalClassifier,
    MultimodalDataset,
    MultimodalEnsemble,
    fuse_encoders,
    infer_encoders,
)
from multimodal_ensemble.encoders import (
    AttentionPooling,
    Augmentation,
    DenseHead,
    FoldItems,
    ItemLists,
    PoolItems,
)
from multimodal_ensemble.estimators._saved_sizes import check_sizes
from multimodal_ensemble.exceptions import ArtefactError, ImageReadError, ModalityError
from multimodal_ensemble.features import FeatureStore
from multimodal_ensemble.images import UnreadableImageWarning
from tests.estimators.test_export import needs, run_onnx
from tests.toys import draw_labels, draw_pixels, make_poster, write_images

PIXELS = draw_pixels(6, 12, 10, 3)
ROWS = [[0, 1, 2], [3], [5, 5, 1, 2], [4, 0]]
LISTS = [[PIXELS[image] for image in row] for row in ROWS]
KINDS = ["mean", "max", "attention"]


def photos(items="mean", **options):
    return make_poster("photos", items=items, **options)


@pytest.fixture(scope="module")
def features():
    """Return the features of each image."""
    encoder = make_poster("photos")
    return np.asarray(encoder.get_backbone()(encoder.encode(PIXELS)))


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Return the paths of four images, of a file that is no image and of no file."""
    folder = tmp_path_factory.mktemp("lists")
    images = write_images(folder / "images", 4)
    text = folder / "text.jpg"
    text.write_bytes(b"this is no image")
    return [*map(str, images), str(text), str(folder / "absent.jpg")]


def run(encoder, values):
    return np.asarray(encoder.get_backbone()(encoder.encode(values)))


# -- pooling ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_a_row_has_the_pooled_features_of_its_images(kind, features):
    expected = [getattr(np, kind)(features[row], axis=0) for row in ROWS]
    np.testing.assert_allclose(run(photos(kind), LISTS), expected, rtol=1e-5)


def test_attention_receives_the_first_images_of_a_row_and_where_they_end(features):
    encoder = photos("attention", max_items=3)
    with pytest.warns(
        UserWarning, match=r"'photos': 1 row of 4 have more than max_items=3 items, at"
    ):
        prepared = encoder.prepare(LISTS)
    received = run(encoder, prepared)
    assert received.shape == (4, *encoder.feature_shape) == (4, 3, 5)
    for row, images in zip(received, ROWS, strict=True):
        n_images = min(3, len(images))
        np.testing.assert_allclose(row[:n_images, :-1], features[images[:3]], rtol=1e-5)
        np.testing.assert_array_equal(row[:, -1], np.arange(3) < n_images)
        assert not row[n_images:].any()


@pytest.mark.parametrize("kind", ["mean", "attention"])
def test_a_store_keeps_the_features_of_single_images(kind, tmp_path):
    store = FeatureStore(tmp_path, dtype="float32")
    encoder = photos(kind)
    data = {"photos": LISTS}
    assert store.compute_features([encoder], data, verbose=0) == 6
    np.testing.assert_allclose(
        store.get_features(encoder, LISTS, verbose=0), run(encoder, LISTS), rtol=1e-5
    )
    # An encoder of single images has the same keys.
    assert store.count_uncomputed(make_poster("cover"), PIXELS) == 0
    assert store.compute_features([photos(kind)], data, verbose=0) == 0
    (entry,) = store.entries()
    assert (entry.n_rows, entry.feature_shape) == (6, (4,))


@pytest.mark.parametrize("kind", ["max", "attention"])
def test_the_order_of_images_and_images_of_other_rows_change_nothing(kind):
    encoder = photos(kind, max_items=4)
    head = encoder.build_head()
    head.build((None, *encoder.feature_shape))
    if kind == "attention":
        head.get_layer("attention").direction.assign(np.linspace(-3, 3, 32))
    embedding = np.asarray(head(run(encoder, LISTS)))
    turned = np.asarray(head(run(encoder, [row[::-1] for row in LISTS])))
    np.testing.assert_allclose(turned, embedding, rtol=1e-4)
    alone = np.concatenate([head(run(encoder, [row])) for row in LISTS])
    np.testing.assert_allclose(alone, embedding, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_a_row_of_one_image_has_the_features_of_the_image(kind, features):
    single = photos(kind, mirror=True)
    expected = run(make_poster("photos", mirror=True), PIXELS)
    np.testing.assert_array_equal(run(single, [[image] for image in PIXELS]), expected)


def test_attention_is_a_softmax_over_the_images_of_a_row(features):
    layer = AttentionPooling(units=2)
    places = ItemLists.read([[0, 1, 2], [3]], modality="photos").pool(features[:4], "attention")
    layer.build(places.shape)
    projection, direction = np.full((4, 2), [0.5, -1.0]) * np.arange(4)[:, None], [2.0, 0.3]
    layer.set_weights([projection, np.array(direction)])
    deviation = features.std(axis=1, keepdims=True)
    scaled = (features - features.mean(axis=1, keepdims=True)) / deviation
    logits = np.tanh(scaled @ projection) @ direction
    weights = np.exp(logits[:3]) / np.exp(logits[:3]).sum()
    pooled = np.asarray(layer(places))
    np.testing.assert_allclose(pooled, [weights @ features[:3], features[3]], rtol=1e-4)
    np.testing.assert_allclose(np.asarray(layer(0 * places)), 0)


def test_pooling_in_the_graph_and_in_memory_agree_on_lists_without_an_item():
    lists = ItemLists.read([["a", "b"], [], ["b"]], modality="photos")
    features = np.array([[-1.0, 2.0], [-3.0, 1.0]])
    folded, presence = FoldItems()(lists.pad(features + 5))
    for kind in KINDS:
        pooled = PoolItems(kind, max_items=3)([folded - 5, presence])
        expected = lists.pool(features, kind, max_items=3)
        np.testing.assert_allclose(np.asarray(pooled), expected, rtol=1e-6)
        assert not expected[1].any()


# -- the whole library -----------------------------------------------------------------------------


def test_a_copy_for_other_processes_encodes_in_the_same_way():
    encoder = photos("max")
    copy = encoder.without_backbone()
    np.testing.assert_array_equal(copy.encode(LISTS), encoder.encode(LISTS))
    prepared = encoder.prepare(LISTS)
    rows = [3, 1]
    expected = encoder.encode([LISTS[row] for row in rows])
    np.testing.assert_array_equal(encoder.encode(prepared[rows]), expected)
    digests = encoder.content_digests(prepared)
    assert len(set(digests)) == 4
    assert encoder.content_digests(prepared[[1]]) == [digests[1]]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    lists = [[PIXELS[image] for image in rng.integers(0, 6, 1 + row % 3)] for row in range(24)]
    lists[3], lists[5] = None, []
    return pd.DataFrame({"photos": pd.Series(lists, dtype=object)})


OPTIONS = {"random_state": 1, "verbose": 0, "threshold": 0.5}
TRAINING = {"epochs": 1, "optimizer": "sgd", "validation_fraction": None}


@pytest.fixture(scope="module")
def classifier(table):
    encoder = photos("attention", optional=True, head=DenseHead(3))
    return MultimodalClassifier([encoder], **OPTIONS, **TRAINING).fit(table, draw_labels())


def test_scores_are_the_same_with_a_store_and_from_a_file(classifier, table, tmp_path):
    scores = classifier.predict_proba(table)
    # Two rows lack the modality.
    np.testing.assert_array_equal(scores[3], scores[5])
    classifier.save(tmp_path / "file")
    loaded = MultimodalClassifier.load(tmp_path / "file")
    loaded.set_params(store=FeatureStore(tmp_path / "store", dtype="float32"))
    np.testing.assert_allclose(loaded.predict_proba(table), scores, atol=1e-5)


def test_a_file_cannot_make_a_head_behind_attention_larger_than_its_arrays():
    encoder = photos("attention", head=DenseHead(10**9))
    with pytest.raises(ArtefactError, match=r"no weights of shape \(4, 1000000000\) in the file"):
        check_sizes([encoder], 3, {"photos_head": [np.zeros((4, 3))]}, fusion="concat")


def test_an_ensemble_predicts_the_same_with_and_without_a_store(table, tmp_path):
    store = FeatureStore(tmp_path, dtype="float32")
    ensemble = MultimodalEnsemble([photos("max", optional=True)], store=store, **OPTIONS)
    scores = ensemble.fit(table, draw_labels()).predict_proba(table)
    whole = ensemble.set_params(store=None).predict_proba(table)
    np.testing.assert_allclose(whole, scores, atol=1e-5)


@pytest.mark.slow
def test_exported_models_take_lists_of_any_length(classifier, table, tmp_path):
    needs("onnx")
    classifier.export(tmp_path / "model", format="onnx")
    assert "-1 throughout absent ones" in (tmp_path / "model.json").read_text(encoding="utf-8")
    for n_rows in (24, 1):
        dataset = MultimodalDataset(table[:n_rows], classifier.encoders_, batch_size=n_rows)
        inputs = {name: np.asarray(rows, dtype="float32") for name, rows in dataset[0][0].items()}
        scores = run_onnx(tmp_path / "model", inputs)
        np.testing.assert_allclose(scores, classifier.predict_proba(table[:n_rows]), atol=1e-5)


def test_training_changes_the_weights_of_images():
    encoder = photos("attention", max_items=2, head=DenseHead(4, dropout=0))
    data = MultimodalDataset({"photos": [PIXELS[:2], PIXELS[2:4]]}, [encoder], y=[[1], [0]])
    model = fuse_encoders([encoder], 1, seed=1)
    attention = model.get_layer("photos_head").get_layer("attention")
    assert not attention.direction.numpy().any()
    model.compile("sgd", "binary_crossentropy", run_eagerly=True)
    model.train_on_batch(*data[0])
    assert attention.direction.numpy().any()


# -- missing and broken images ---------------------------------------------------------------------


@pytest.mark.parametrize(("bad", "name"), [(4, "text.jpg"), (5, "absent.jpg"), (None, "None")])
@pytest.mark.parametrize("stored", [True, False])
def test_by_default_an_unreadable_image_is_an_error_with_row_and_image(
    bad, name, stored, paths, tmp_path
):
    broken = None if bad is None else paths[bad]
    lists = [[paths[0]], [paths[1], broken]]
    store = FeatureStore(tmp_path)
    attempt = store.get_features if stored else photos().encode
    args = (photos(), lists) if stored else (lists,)
    with pytest.raises(ImageReadError, match=rf"{name}' .*cannot be read: .*on_error=") as info:
        attempt(*args)
    assert info.value.row == 1
    # The store reads what a file holds later than its bytes.
    assert (stored and bad == 4) or "item 1 (from 0) of the list in row 1" in str(info.value)


def test_an_unreadable_image_is_left_out_of_its_row(paths):
    encoder = photos(on_error="missing", optional=True)
    lists = [[paths[4], paths[0]], [paths[4], paths[5]], [paths[1], None], None, []]
    with pytest.warns(UnreadableImageWarning, match="2 images cannot be read"):
        missing = encoder.find_missing(lists)
    assert missing.tolist() == [False, True, False, True, True]
    assert len(encoder.unreadable) == 2
    expected = run(photos(), [[paths[0]], [paths[1]]])
    np.testing.assert_array_equal(run(encoder, [lists[0], lists[2]]), expected)
    assert encoder.count_unreadable(lists) == (2, 2)
    assert encoder.find_unusable(lists[:3]) == {}


def test_a_row_with_an_unreadable_image_is_dropped(paths):
    encoder = photos(on_error="drop")
    with pytest.warns(UnreadableImageWarning, match=r"text\.jpg"):
        dataset = MultimodalDataset({"photos": [[paths[0]], [paths[1], paths[4]]]}, [encoder])
    assert dataset.n_samples == 1
    assert dataset.dropped["row"].tolist() == [1]
    assert dataset.dropped["reason"][1].startswith("item 1 (from 0) of its list: ")


def test_a_black_image_replaces_an_unreadable_one(paths, tmp_path):
    encoder = photos(on_error="blank")
    lists = [[paths[0], paths[4]], [paths[5]]]
    with pytest.warns(UnreadableImageWarning):
        stored = FeatureStore(tmp_path, dtype="float32").get_features(encoder, lists, verbose=0)
    black = np.zeros((8, 8, 3), dtype="uint8")
    expected = run(photos(), [[paths[0], black], [black]])
    np.testing.assert_allclose(stored, expected, rtol=1e-5)
    np.testing.assert_allclose(run(encoder, lists), expected, rtol=1e-5)


def test_an_empty_list_is_an_error_unless_the_modality_is_optional(tmp_path):
    lists = [[PIXELS[0]], []]
    for attempt in (
        photos().encode,
        lambda values: FeatureStore(tmp_path).get_features(photos(), values, verbose=0),
    ):
        with pytest.raises(ModalityError, match=r"no item in row 1\. Pass optional=True") as info:
            attempt(lists)
        assert info.value.row == 1
    assert photos(optional=True).find_missing(lists).tolist() == [False, True]


@pytest.mark.parametrize(
    "value",
    ["a.jpg", PIXELS[0], Image.fromarray(PIXELS[0]), b"bytes", {"a.jpg"}, {"a.jpg": -1}, 3.5],
)
def test_a_value_that_is_no_list_is_an_error(value):
    with pytest.raises(
        ModalityError, match=r"(?s)takes a list of items per row, or .* Received .* in row 1"
    ):
        photos().encode([[PIXELS[0]], value])


def test_lists_may_be_tuples_and_arrays(paths):
    expected = photos().encode([paths[:2]])
    for images in (tuple(paths[:2]), np.array(paths[:2]), np.array(paths[:2], dtype=object)):
        np.testing.assert_array_equal(photos().encode([images]), expected)
    np.testing.assert_array_equal(photos().encode([PIXELS[:2]]), photos().encode([[*PIXELS[:2]]]))
    counted = photos().encode([{paths[0]: 2, paths[1]: 1}])
    np.testing.assert_array_equal(counted, photos().encode([[paths[0], paths[0], paths[1]]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"items": "sum"}, r"items must be one of"),
        ({"max_items": 0}, "max_items must be .*Received max_items=0"),
        ({"max_items": 10**9}, "max_items must be at most 256"),
        ({"trainable_layers": 1}, r"need a frozen backbone.*Fine-tune an encoder with items=None"),
        (
            {"augmentation": Augmentation([keras.layers.RandomFlip()])},
            r"cannot be augmented\. Received items='mean'; omit augmentation",
        ),
    ],
)
def test_options_that_lists_do_not_have_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        photos(**options)


def test_the_backbone_of_lists_stays_frozen():
    with pytest.raises(ValueError, match="need a frozen backbone"):
        photos().unfreeze(1)


def test_an_ensemble_refuses_attention(table):
    with pytest.raises(ModalityError, match=r"items='attention'.*Pass items='mean'"):
        MultimodalEnsemble([photos("attention", optional=True)], verbose=0).fit(
            table, draw_labels()
        )


def test_columns_of_lists_of_images_get_an_encoder_of_lists(paths, capsys):
    data = {"photos": [paths[:2], [paths[2]], []], "scans": [[PIXELS[0]], [PIXELS[1]], [PIXELS[2]]]}
    first, second = infer_encoders(data)
    assert (first.items, first.optional, second.items, second.optional) == (
        "mean",
        True,
        "mean",
        False,
    )
    report = capsys.readouterr().out
    assert "ImageEncoder('photos', items='mean', optional=True),  # lists of paths of im" in report
    assert "ImageEncoder('scans', items='mean'),  # lists of images" in report
