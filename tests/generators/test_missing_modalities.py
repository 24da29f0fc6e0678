"""Rows that lack a modality: None, NaN, an absent column, an unreadable image."""

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    FeatureStore,
    ImageEncoder,
    MultimodalDataset,
    fit_encoders,
    fit_model,
    fuse_encoders,
    predict_scores,
)
from multimodal_ensemble.encoders import Augmentation, DenseHead
from multimodal_ensemble.exceptions import ImageReadError, ModalityError
from multimodal_ensemble.images import UnreadableImageWarning

N_ROWS = 24
ROWS = np.arange(N_ROWS)
NO_POSTER, NO_TAGS = ROWS % 3 == 0, ROWS % 4 == 0


def draw_data():
    rng = np.random.default_rng(1)
    posters = [rng.integers(0, 256, (9, 9, 3), dtype="uint8") for _ in ROWS]
    tags = [["space", "war"] if row % 2 else [] for row in ROWS]
    numbers = rng.normal(size=N_ROWS)
    return (
        {
            "poster": [None if NO_POSTER[row] else posters[row] for row in ROWS],
            "tags": [None if NO_TAGS[row] else tags[row] for row in ROWS],
            "number": list(numbers),
        },
        np.stack([ROWS % 2, numbers > 0], axis=1).astype(int),
    )


@pytest.fixture
def make_encoders(make_poster):
    """Return a function that makes and fits encoders, with options for that of posters."""

    def make(data, **options):
        poster = make_poster(head=DenseHead(4, scaling="log"), optional=True, **options)
        tags = BagOfWordsEncoder("tags", optional=True, head=DenseHead(1))
        return fit_encoders([poster, tags, DenseEncoder("number", head=DenseHead(3))], data)

    return make


def test_batches_hold_the_presence_of_optional_modalities(make_encoders):
    data, y = draw_data()
    inputs, _ = MultimodalDataset(data, make_encoders(data), y, batch_size=N_ROWS)[0]
    assert list(inputs) == ["poster", "tags", "number", "poster_present", "tags_present"]
    np.testing.assert_array_equal(inputs["poster_present"], ~NO_POSTER[:, np.newaxis])
    np.testing.assert_array_equal(inputs["tags_present"], ~NO_TAGS[:, np.newaxis])
    assert not inputs["poster"][NO_POSTER].any()
    assert inputs["poster"][~NO_POSTER].any(axis=(1, 2, 3)).all()


def test_an_empty_list_of_tags_differs_from_missing_tags(make_encoders):
    data, _ = draw_data()
    encoders = make_encoders(data)
    model = fuse_encoders(encoders, 2, seed=1)
    model.get_layer("tags_or_missing").learned.assign([3.0])
    known = {**data, "tags": [[]] * N_ROWS}
    unknown = {**data, "tags": [None] * N_ROWS}
    assert np.all(
        predict_scores(model, MultimodalDataset(known, encoders))
        != predict_scores(model, MultimodalDataset(unknown, encoders))
    )


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_missing_values_of_pandas_are_missing(nothing):
    encoder = BagOfWordsEncoder("tags", optional=True)
    assert encoder.find_missing([["a"], nothing, [], ""]).tolist() == [False, True, False, False]


def test_an_absent_column_of_an_optional_modality_is_missing_in_all_rows(make_encoders):
    data, _ = draw_data()
    encoders = make_encoders(data)
    model = fuse_encoders(encoders, 2, seed=1)
    absent = pd.DataFrame({"number": data["number"]})
    nothing = {**data, "poster": [None] * N_ROWS, "tags": [np.nan] * N_ROWS}
    np.testing.assert_array_equal(
        predict_scores(model, MultimodalDataset(absent, encoders)),
        predict_scores(model, MultimodalDataset(nothing, encoders)),
    )


def test_an_absent_column_of_a_required_modality_is_refused(make_encoders):
    data, _ = draw_data()
    encoders = make_encoders(data)
    del data["number"]
    with pytest.raises(ModalityError, match=r"'number' reads the column\(s\) \['number'\]"):
        MultimodalDataset(data, encoders)


def test_a_modality_with_only_some_of_its_columns_is_refused():
    table = pd.DataFrame({"year": [1.0, 2.0], "minutes": [3.0, 4.0]})
    encoder = DenseEncoder("numbers", column=["year", "minutes"], optional=True)
    encoder.fit(encoder.select(table))
    with pytest.raises(ModalityError, match=r"reads the column\(s\) \['minutes'\]"):
        MultimodalDataset(table[["year"]], [encoder])


def test_a_modality_is_missing_where_all_its_columns_are_missing():
    table = pd.DataFrame({"year": [1.0, np.nan, 2.0], "minutes": [3.0, np.nan, 5.0]})
    encoder = DenseEncoder("numbers", column=["year", "minutes"], optional=True)
    fit_encoders([encoder], table)
    np.testing.assert_allclose(encoder.mean_, [1.5, 4.0])
    dataset = MultimodalDataset(table, [encoder])
    assert dataset.present("numbers").tolist() == [True, False, True]
    # A single missing number is replaced by the mean.
    table.loc[0, "year"] = np.nan
    dataset = MultimodalDataset(table, [encoder])
    assert dataset.present("numbers").tolist() == [True, False, True]


def test_vectors_are_missing_where_all_numbers_are_missing():
    vectors = [[1.0, 2.0], None, [np.nan, np.nan], [3.0, np.nan]]
    encoder = DenseEncoder("vector", optional=True)
    assert encoder.find_missing(vectors).tolist() == [False, True, True, False]


def test_a_modality_that_no_training_row_has_is_refused():
    with pytest.raises(ModalityError, match="'tags' is missing in all 2 training rows"):
        fit_encoders([BagOfWordsEncoder("tags", optional=True)], {"tag": [["a"], ["b"]]})


@pytest.mark.slow
@pytest.mark.parametrize("store", [False, True])
def test_training_with_missing_modalities_on_pixels_or_features(make_encoders, tmp_path, store):
    data, y = draw_data()
    augmentation = Augmentation([keras.layers.RandomFlip("horizontal")], views=2, seed=1)
    encoders = make_encoders(data, augmentation=augmentation)
    options = {"store": FeatureStore(tmp_path, dtype="float32"), "verbose": 0} if store else {}
    train = MultimodalDataset(data, encoders, y, shuffle=True, seed=1, batch_size=5, **options)
    validation = MultimodalDataset(data, encoders, y, **options)
    model = fuse_encoders(encoders, 2, modality_dropout=0.2, seed=1)
    fit_model(model, train, validation, epochs=2, optimizer="sgd", verbose=0)
    plain = predict_scores(model, MultimodalDataset(data, encoders))
    np.testing.assert_allclose(predict_scores(model, validation), plain, atol=1e-5)
    # Scaling is learned from the rows that have a poster.
    scaling = model.get_layer("poster_head").get_layer("scaling")
    features = (
        encoders[0]
        .get_backbone()
        .predict(
            encoders[0].encode([poster for poster in data["poster"] if poster is not None]),
            verbose=0,
        )
    )
    expected = (np.sign(features) * np.log1p(np.abs(features))).mean(axis=0)
    np.testing.assert_allclose(scaling.mean.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_stored_features_of_rows_that_all_lack_the_modality(make_encoders, tmp_path):
    data, _ = draw_data()
    encoders = make_encoders(data)
    absent = {"number": data["number"]}
    dataset = MultimodalDataset(absent, encoders, store=FeatureStore(tmp_path), verbose=0)
    assert not dataset.features["poster"].any()
    assert not dataset.present("poster").any()
    model = fuse_encoders(encoders, 2, seed=1)
    np.testing.assert_allclose(
        predict_scores(model, dataset),
        predict_scores(model, MultimodalDataset(absent, encoders)),
        atol=1e-6,
    )


def test_batches_have_one_dtype_whether_or_not_rows_lack_the_modality(make_encoders):
    data, y = draw_data()
    dataset = MultimodalDataset(data, make_encoders(data), y, batch_size=1)
    assert {dataset[index][0]["poster"].dtype for index in range(len(dataset))} == {
        np.dtype("uint8")
    }


def test_an_unreadable_image_is_missing_with_on_error_missing(make_encoders, tmp_path):
    data, y = draw_data()
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    data["poster"][1] = tmp_path / "broken.jpg"
    with pytest.warns(UnreadableImageWarning, match="1 image cannot be read"):
        dataset = MultimodalDataset(data, make_encoders(data, on_error="missing"), y)
    assert dataset.n_samples == N_ROWS
    np.testing.assert_array_equal(dataset.present("poster"), ~NO_POSTER & (ROWS != 1))


def test_an_unreadable_optional_image_drops_its_row_with_on_error_drop(make_encoders, tmp_path):
    data, y = draw_data()
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    data["poster"][1] = tmp_path / "broken.jpg"
    with pytest.warns(UnreadableImageWarning, match="1 image cannot be read"):
        dataset = MultimodalDataset(data, make_encoders(data, on_error="drop"), y)
    assert dataset.dropped["row"].tolist() == [1]


def test_on_error_missing_needs_an_optional_modality():
    with pytest.raises(ValueError, match="on_error='missing' needs optional=True"):
        ImageEncoder("poster", on_error="missing")


def test_a_data_set_with_other_optional_modalities_is_refused(make_encoders):
    data, _ = draw_data()
    encoders = make_encoders(data)
    model = fuse_encoders(encoders, 2)
    other = [encoders[0], BagOfWordsEncoder("tags").fit([["space", "war"]]), encoders[2]]
    known = {**data, "tags": [[]] * N_ROWS}
    with pytest.raises(ModalityError, match=r"Absent: \['tags_present'\]"):
        predict_scores(model, MultimodalDataset(known, other))


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"number": [None, 1.0, float("inf")]}, "in row 2"),
        ({"tags": [None, ["war"], [3]]}, "in row 2"),
        ({"poster": [None, *[np.zeros((9, 9), dtype="uint8")] * 2, "absent.jpg"]}, "absent.jpg"),
    ],
)
def test_errors_count_the_rows_that_lack_the_modality(make_poster, values, error):
    ((name, column),) = values.items()
    encoder = {
        "number": DenseEncoder("number", optional=True).fit([1.0, 2.0]),
        "tags": BagOfWordsEncoder("tags", optional=True).fit([["war"]]),
        "poster": make_poster(optional=True),
    }[name]
    with pytest.raises((ModalityError, ImageReadError), match=error) as info:
        list(MultimodalDataset({name: column}, [encoder], batch_size=2))
    assert info.value.row == len(column) - 1


def test_errors_count_the_rows_that_were_dropped(make_poster):
    poster = make_poster(on_error="drop")
    number = DenseEncoder("number").fit([1.0, 2.0])
    image = np.zeros((9, 9), dtype="uint8")
    data = {"poster": ["absent.jpg", image, image], "number": [1.0, 2.0, float("inf")]}
    with (
        pytest.warns(UnreadableImageWarning),
        pytest.raises(ModalityError, match="in row 2") as info,
    ):
        MultimodalDataset(data, [poster, number])
    assert info.value.row == 2


def test_errors_of_a_store_count_the_rows_that_lack_the_modality(make_poster, tmp_path):
    image = np.zeros((9, 9), dtype="uint8")
    data = {"poster": [None, image, "absent.jpg"]}
    with pytest.raises(ImageReadError, match=r"absent\.jpg") as info:
        MultimodalDataset(data, [make_poster(optional=True)], store=tmp_path, verbose=0)
    assert info.value.row == 2
