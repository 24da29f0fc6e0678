"""Batches: rows, order, labels and weights; stored features; bad inputs."""

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    FeatureStore,
    MultimodalDataset,
)
from multimodal_ensemble.exceptions import ImageReadError, ModalityError
from multimodal_ensemble.images import UnreadableImageWarning

TAGS = [["space", "war"], ["love"], [], ["war"], ["love", "space"]]
Y = np.array([[1, 0], [0, 1], [0, 0], [1, 0], [1, 1]])


def number_encoder():
    """Return an encoder that does not change numbers, so that a batch shows its rows."""
    return DenseEncoder("number", scaling=None).fit([0])


def numbers_dataset(n_rows, **options):
    """Return a data set whose inputs and labels identify each row."""
    numbers = np.arange(n_rows)
    return MultimodalDataset(
        {"number": numbers},
        [number_encoder()],
        np.stack([numbers % 2, numbers % 3 == 0], 1),
        **options,
    )


def rows_of(dataset):
    """Return the rows of a pass, batch by batch."""
    return [
        dataset[index][0]["number"].ravel().astype(int).tolist() for index in range(len(dataset))
    ]


@pytest.fixture
def tags():
    return BagOfWordsEncoder("tags").fit(TAGS)


@pytest.fixture
def posters(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        Image.new("RGB", (9, 7), (50 * number, 10, 200 - 40 * number)).save(path)
    return paths


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 50), st.booleans(), st.integers(0, 3))
def test_a_pass_returns_each_row_once(n_rows, batch_size, shuffle, passes):
    dataset = numbers_dataset(n_rows, batch_size=batch_size, shuffle=shuffle, seed=1)
    for _ in range(passes):
        dataset.on_epoch_end()
    batches = rows_of(dataset)
    assert sorted(row for rows in batches for row in rows) == list(range(n_rows))
    assert all(len(rows) == batch_size for rows in batches[:-1])
    assert len(batches[-1]) == (n_rows - 1) % batch_size + 1
    assert dataset.n_samples == n_rows
    if not shuffle:
        assert sum(batches, []) == list(range(n_rows))  # noqa: RUF017


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 20), st.integers(1, 7), st.integers(0, 9))
def test_labels_and_weights_follow_their_rows(n_rows, batch_size, seed):
    weight = np.arange(n_rows) / 4 + 1
    dataset = numbers_dataset(
        n_rows, batch_size=batch_size, shuffle=True, seed=seed, sample_weight=weight
    )
    for index in range(len(dataset)):
        inputs, y, weights = dataset[index]
        rows = inputs["number"].ravel().astype(int)
        assert y.dtype == weights.dtype == np.float32
        np.testing.assert_array_equal(y, np.stack([rows % 2, rows % 3 == 0], 1))
        np.testing.assert_array_equal(weights, weight[rows])


def test_a_batch_without_labels_holds_only_inputs(tags):
    dataset = MultimodalDataset({"tags": TAGS}, [tags])
    (inputs,) = dataset[0]
    np.testing.assert_array_equal(inputs["tags"], tags.encode(TAGS))
    assert dataset.y is None
    assert dataset.labels == []


def test_the_seed_determines_a_different_order_for_each_pass():
    def passes(seed):
        dataset = numbers_dataset(20, batch_size=6, shuffle=True, seed=seed)
        orders = []
        for _ in range(3):
            orders.append(rows_of(dataset))
            dataset.on_epoch_end()
        return orders

    first = passes(5)
    assert first == passes(5)
    assert all(order not in first for order in passes(6))
    assert first[0] != first[1] != first[2] != first[0]


def test_the_order_does_not_depend_on_numpys_global_generator():
    first = rows_of(numbers_dataset(20, shuffle=True))
    np.random.seed(123)
    state = np.random.get_state()[1].tolist()
    assert rows_of(numbers_dataset(20, shuffle=True)) == first
    assert np.random.get_state()[1].tolist() == state


def test_peek_returns_the_raw_rows_of_a_batch(tags):
    data = pd.DataFrame({"tags": TAGS, "title": list("ABCDE")}, index=["e", "d", "d", 7, None])
    dataset = MultimodalDataset(
        data,
        [tags],
        Y,
        labels=["War", "Love"],
        batch_size=2,
        shuffle=True,
        seed=3,
        sample_weight=[1, 2, 3, 4, 5],
    )
    seen = []
    for index in range(len(dataset)):
        batch = dataset.peek(index)
        decoded = [
            {token for token, there in zip(tags.vocabulary_, row, strict=True) if there}
            for row in batch.inputs["tags"]
        ]
        assert decoded == [set(tokens) for tokens in batch.raw["tags"]]
        names = [
            [name for name, there in zip(["War", "Love"], row, strict=True) if there]
            for row in batch.y
        ]
        assert batch.labels == names
        positions = ["ABCDE".index(title) for title in batch.raw["title"]]
        np.testing.assert_array_equal(batch.y, Y[positions])
        np.testing.assert_array_equal(batch.sample_weight, np.array(positions) + 1)
        assert batch.raw.index.equals(data.index[positions])
        np.testing.assert_array_equal(batch.inputs["tags"], dataset[index][0]["tags"])
        seen += positions
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert "labels" not in data


def test_peek_without_labels_and_weights(tags):
    batch = MultimodalDataset({"tags": TAGS}, [tags]).peek(0)
    assert batch.y is None
    assert batch.sample_weight is None
    assert list(batch.raw) == ["tags"]


def test_a_mapping_and_a_data_frame_give_equal_batches(tags):
    year = DenseEncoder("year").fit([1977, 1997])
    columns = {"tags": TAGS, "year": [1977, 1980, 1990, 1997, 2001]}
    frame = pd.DataFrame(columns, index=[9, 9, -1, 3, 0])
    series = {"tags": frame["tags"], "year": np.array(columns["year"])}
    batches = [MultimodalDataset(data, [tags, year], Y)[0] for data in (columns, frame, series)]
    for inputs, y in batches[1:]:
        np.testing.assert_array_equal(inputs["tags"], batches[0][0]["tags"])
        np.testing.assert_array_equal(inputs["year"], batches[0][0]["year"])
        np.testing.assert_array_equal(y, Y)


def test_label_names_come_from_the_data_frame_the_option_or_numbers(tags):
    frame = pd.DataFrame(Y, columns=["War", "Love"])
    data = {"tags": TAGS}
    assert MultimodalDataset(data, [tags], frame).labels == ["War", "Love"]
    assert MultimodalDataset(data, [tags], frame, labels=["a", "b"]).labels == ["a", "b"]
    assert MultimodalDataset(data, [tags], Y).labels == ["0", "1"]
    np.testing.assert_array_equal(MultimodalDataset(data, [tags], frame).y, Y)


def test_unreadable_rows_are_dropped_with_their_labels_and_weights(make_poster, posters, tags):
    posters[1].write_bytes(b"not an image")
    posters[3].unlink()
    data = pd.DataFrame({"poster": posters, "tags": TAGS}, index=list("abcde"))
    with pytest.warns(UnreadableImageWarning, match="2 images cannot be read"):
        dataset = MultimodalDataset(
            data, [make_poster(on_error="drop"), tags], Y, sample_weight=[1, 2, 3, 4, 5]
        )
    assert list(dataset.dropped.index) == ["b", "d"]
    assert "No such file" in dataset.dropped.loc["d", "reason"]
    inputs, y, weight = dataset[0]
    np.testing.assert_array_equal(y, Y[[0, 2, 4]])
    np.testing.assert_array_equal(weight, [1, 3, 5])
    np.testing.assert_array_equal(inputs["tags"], tags.encode([TAGS[0], TAGS[2], TAGS[4]]))
    np.testing.assert_array_equal(inputs["poster"][:, 0, 0, 0], [0, 100, 200])
    assert dataset.raw.index.tolist() == ["a", "c", "e"]
    assert dataset.n_samples == 3


def test_unreadable_rows_are_dropped_before_features_are_loaded(make_poster, posters, tmp_path):
    posters[1].write_bytes(b"not an image")
    encoder = make_poster(on_error="drop")
    with pytest.warns(UnreadableImageWarning, match=r"1\.png"):
        dataset = MultimodalDataset(
            {"poster": posters},
            [encoder],
            Y,
            store=FeatureStore(tmp_path / "store", dtype="float32"),
            verbose=0,
        )
    kept = [posters[row] for row in (0, 2, 3, 4)]
    expected = np.asarray(encoder.get_backbone()(encoder.encode(kept)))
    np.testing.assert_allclose(dataset[0][0]["poster"], expected, rtol=1e-5)
    np.testing.assert_array_equal(dataset[0][1], Y[[0, 2, 3, 4]])


def test_data_without_a_readable_row_is_refused(make_poster, tmp_path):
    with (
        pytest.warns(UnreadableImageWarning, match="2 images"),
        pytest.raises(ValueError, match="None of the 2 rows can be used"),
    ):
        MultimodalDataset(
            {"poster": [tmp_path / "a.png", tmp_path / "b.png"]}, [make_poster(on_error="drop")]
        )


def test_images_are_read_when_their_batch_is_requested(make_poster, posters):
    dataset = MultimodalDataset({"poster": posters}, [make_poster()], batch_size=2)
    posters[4].unlink()
    assert dataset[0][0]["poster"].shape == (2, 8, 8, 3)
    with pytest.raises(ImageReadError, match=r"4\.png"):
        dataset[2]


def test_stored_features_equal_the_output_of_the_backbone(make_poster, posters, tags, tmp_path):
    encoder = make_poster()
    data = {"poster": posters, "tags": TAGS}
    plain = MultimodalDataset(data, [encoder, tags], Y, batch_size=2, shuffle=True)
    cached = MultimodalDataset(
        data,
        [encoder, tags],
        Y,
        batch_size=2,
        shuffle=True,
        store=FeatureStore(tmp_path / "store", dtype="float32"),
        verbose=0,
    )
    assert list(cached.features) == ["poster"]
    for index in range(3):
        (inputs, y), (features, same_y) = plain[index], cached[index]
        expected = np.asarray(encoder.get_backbone()(inputs["poster"], training=False))
        np.testing.assert_allclose(features["poster"], expected, rtol=1e-5)
        np.testing.assert_array_equal(features["tags"], inputs["tags"])
        np.testing.assert_array_equal(same_y, y)


def test_the_store_is_not_used_for_an_unfrozen_backbone(make_poster, posters, tmp_path):
    encoder = make_poster(trainable_layers=1)
    dataset = MultimodalDataset(
        {"poster": posters},
        [encoder],
        store=FeatureStore(tmp_path / "store", dtype="float32"),
        verbose=0,
    )
    assert dataset.features == {}
    np.testing.assert_array_equal(dataset[0][0]["poster"], encoder.encode(posters))


class Recorder(keras.Model):
    """A model that records its training batches."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def call(self, inputs):
        return inputs["number"]

    def train_step(self, data):
        inputs, y, weight = data
        arrays = [np.asarray(inputs["number"]).ravel(), np.asarray(y), np.asarray(weight)]
        self.seen.append([array.tolist() for array in arrays])
        return {"rows": keras.ops.sum(weight)}


@pytest.mark.parametrize("workers", [1, 2])
def test_keras_trains_on_the_same_batches_with_any_number_of_workers(workers):
    expected, dataset = (
        [],
        numbers_dataset(
            11,
            batch_size=3,
            shuffle=True,
            seed=2,
            sample_weight=np.arange(11) + 1,
            workers=workers,
            max_queue_size=4,
        ),
    )

    def note(epoch, logs):
        for index in range(len(dataset)):
            inputs, y, weight = dataset[index]
            expected.append([inputs["number"].ravel().tolist(), y.tolist(), weight.tolist()])

    assert (dataset.workers, dataset.max_queue_size) == (workers, 4)
    model = Recorder()
    model.compile(run_eagerly=True)
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=note)
    model.fit(dataset, epochs=3, shuffle=False, callbacks=[watch], verbose=0)
    assert model.seen == expected
    passes = [[row for rows, _, _ in expected[e * 4 : e * 4 + 4] for row in rows] for e in range(3)]
    assert [sorted(rows) for rows in passes] == [list(range(11))] * 3
    assert passes[0] != passes[1] != passes[2] != passes[0]


@pytest.mark.parametrize("index", [-1, 2, 100])
def test_a_batch_number_out_of_range_is_refused(index):
    dataset = numbers_dataset(5, batch_size=3)
    with pytest.raises(IndexError, match=f"There are 2 batches.* Received index {index}"):
        dataset[index]


DATA = {"tags": TAGS}


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"data": {"words": TAGS}}, ModalityError, r"'tags' reads the column\(s\) \['tags'\]"),
        ({"data": pd.DataFrame({"words": TAGS})}, ModalityError, r"The data has \['words'\]"),
        (
            {"data": {"tags": TAGS, "year": [1]}},
            ModalityError,
            r"same length. Received {'tags': 5, 'year': 1}",
        ),
        ({"data": {"tags": []}, "y": None}, ValueError, "no rows"),
        ({"data": pd.DataFrame({"tags": []}), "y": None}, ValueError, "no rows"),
        ({"y": Y[:4]}, ValueError, r"one row for each row of the data \(5\). Received 4"),
        ({"y": Y * 0.5}, ValueError, "y must hold only 0 and 1. Received .*0.5.* in row 0"),
        ({"y": Y[:, 0]}, ValueError, "y must be a multi-hot matrix"),
        ({"y": Y[:, :0]}, ValueError, "at least one row and one label"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number of at least 1"),
        ({"sample_weight": [1, 1, -1, 1, 1]}, ValueError, "finite and not negative"),
        ({"sample_weight": [1, 1, np.nan, 1, 1]}, ValueError, "finite and not negative"),
        ({"sample_weight": [0] * 5}, ValueError, "not be zero everywhere"),
        ({"sample_weight": [1] * 4}, ValueError, r"sample_weight must have shape \(5,\)"),
        ({"labels": ["a"]}, ValueError, "labels must name all 2 columns"),
        ({"labels": ["a", "a"]}, ValueError, "labels must be distinct"),
        ({"encoders": []}, ModalityError, "At least one encoder"),
    ],
)
def test_bad_input_is_refused(tags, change, error, match):
    arguments = {"data": DATA, "encoders": [tags], "y": Y, **change}
    with pytest.raises(error, match=match):
        MultimodalDataset(
            arguments.pop("data"), arguments.pop("encoders"), arguments.pop("y"), **arguments
        )


def test_encoders_with_equal_names_are_refused(tags):
    other = BagOfWordsEncoder("tags", column="words").fit(TAGS)
    with pytest.raises(ModalityError, match=r"distinct names.*\['tags'\] more than once"):
        MultimodalDataset({"tags": TAGS, "words": TAGS}, [tags, other])


def test_weights_without_labels_are_refused(tags):
    with pytest.raises(ValueError, match="sample_weight weights the loss"):
        MultimodalDataset({"tags": TAGS}, [tags], sample_weight=[1] * len(TAGS))


def test_labels_with_another_order_of_rows_are_refused(tags):
    data = pd.DataFrame({"tags": TAGS}, index=list("abcde"))
    y = pd.DataFrame({"space": [1, 0, 1, 0, 1]}, index=list("edcba"))
    with pytest.raises(ValueError, match=r"y.loc\[data.index\]"):
        MultimodalDataset(data, [tags], y)
    assert MultimodalDataset(data, [tags], y.to_numpy()).y.ravel().tolist() == [1, 0, 1, 0, 1]


def test_a_column_may_be_called_labels(tags):
    data = pd.DataFrame({"tags": TAGS, "labels": list("vwxyz")})
    batch = MultimodalDataset(data, [tags], np.eye(5, dtype=int)).peek(0)
    assert batch.raw["labels"].tolist() == list("vwxyz")
    assert batch.labels == [["0"], ["1"], ["2"], ["3"], ["4"]]


@pytest.mark.parametrize("seed", [-1, None, 0.5])
def test_a_seed_out_of_range_is_refused(tags, seed):
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0"):
        MultimodalDataset({"tags": TAGS}, [tags], shuffle=True, seed=seed)


def test_a_store_of_another_type_is_refused(tags):
    with pytest.raises(TypeError, match=r"store must be a FeatureStore, the path .*Received 1\."):
        MultimodalDataset({"tags": TAGS}, [tags], store=1)


def test_a_store_may_be_given_as_a_path(make_poster, posters, tmp_path):
    encoder, data = make_poster(), {"poster": posters}
    by_path = MultimodalDataset(data, [encoder], store=tmp_path / "store", verbose=0)
    store = FeatureStore(tmp_path / "store")
    assert store.count_uncomputed(encoder, posters) == 0
    by_store = MultimodalDataset(data, [encoder], store=store)
    np.testing.assert_array_equal(by_path.features["poster"], by_store.features["poster"])
