"""`SequenceEncoder` and its head: padding changes no embedding; channels are scaled."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble import (
    DenseEncoder,
    MultimodalClassifier,
    MultimodalDataset,
    MultimodalEnsemble,
    SequenceEncoder,
    fit_encoders,
)
from multimodal_ensemble.encoders import SequenceHead, SequenceLayer, SequencePooling
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.testing import check_encoder

RNG = np.random.default_rng(0)
LENGTHS = (5, 3, 9, 1, 0, 12)
SEQUENCES = [RNG.normal([3, -50], [1, 20], size=(length, 2)) for length in LENGTHS]
HEADS = {"conv": SequenceHead(units=3, kernel_size=3), "gru": SequenceHead("gru", units=3)}


@pytest.mark.parametrize("scaling", ["standard", None])
def test_channels_are_scaled_as_in_scikit_learn_and_padded_with_zeros(scaling):
    encoder = SequenceEncoder("s", scaling=scaling).fit(SEQUENCES)
    encoded = encoder.encode(SEQUENCES)
    assert encoder.input_shape == (None, 3)
    assert encoded.shape == (6, 12, 3)
    assert encoded.dtype == np.float32
    scaler = StandardScaler().fit(np.concatenate(SEQUENCES))
    for row, steps in enumerate(SEQUENCES):
        expected = scaler.transform(steps) if scaling and len(steps) else steps
        np.testing.assert_allclose(encoded[row, : len(steps), :2], expected, rtol=1e-5, atol=1e-6)
        assert encoded[row, :, 2].tolist() == [1] * len(steps) + [0] * (12 - len(steps))
        assert not encoded[row, len(steps) :].any()


@pytest.mark.parametrize(
    "wrap",
    [list, tuple, np.array, pd.Series, lambda steps: [[step] for step in steps]],
    ids=["list", "tuple", "array", "series", "vectors"],
)
def test_lists_of_numbers_are_sequences_of_one_channel(wrap):
    values = [wrap([1, 2]), wrap([3, 5, 4])]
    encoder = SequenceEncoder("s", scaling=None).fit(values)
    assert encoder.encode(values).tolist() == [
        [[1, 1], [2, 1], [0, 0]],
        [[3, 1], [5, 1], [4, 1]],
    ]
    assert encoder.lengths(encoder.prepare([*values, []])).tolist() == [2, 3, 1]


def test_longer_sequences_are_cut_and_counted_once():
    values = [list(range(length)) for length in (2, 7, 4, 9)]
    encoder = SequenceEncoder("s", scaling=None, max_length=4)
    with pytest.warns(UserWarning, match=r"2 of 4 sequences in 's' .* max_length=4 .*has 9\)"):
        encoder.fit(values)
    assert encoder.encode(values)[3].tolist() == [[0, 1], [1, 1], [2, 1], [3, 1]]
    np.testing.assert_array_equal(encoder.prepare(values)[1].ravel(), range(4))


@pytest.mark.parametrize("kind", HEADS)
def test_padding_does_not_change_an_embedding(kind):
    encoder = SequenceEncoder("s", head=HEADS[kind]).fit(SEQUENCES)
    head = encoder.build_head()
    together = keras.ops.convert_to_numpy(head(encoder.encode(SEQUENCES)))
    for row, sequence in enumerate(SEQUENCES):
        alone = keras.ops.convert_to_numpy(head(encoder.encode([sequence])))
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6)


def test_a_layer_returns_what_it_returns_without_padding():
    padded = SequenceEncoder("s").fit(SEQUENCES).encode(SEQUENCES[:2])
    inner = keras.layers.Conv1D(4, 3, padding="same", bias_initializer="ones")
    found = keras.ops.convert_to_numpy(SequenceLayer(inner)(padded))
    np.testing.assert_allclose(found[1, :3, :4], inner(padded[1:, :3])[0], rtol=1e-5)
    assert not found[1, 3:].any()
    assert SequenceLayer(inner).compute_output_shape((None, None, 3)) == (None, None, 5)


def test_pooling_equals_numpy():
    padded = SequenceEncoder("s").fit(SEQUENCES).encode(SEQUENCES)
    pooled = keras.ops.convert_to_numpy(SequencePooling()(padded))
    for row, length in enumerate(LENGTHS):
        steps = padded[row, :length, :2]
        expected = (
            np.concatenate([steps.mean(axis=0), steps.max(axis=0)]) if length else np.zeros(4)
        )
        np.testing.assert_allclose(pooled[row], expected, rtol=1e-5, atol=1e-6)


def test_it_fulfils_the_contract():
    encoder = SequenceEncoder("s", head=HEADS["conv"], optional=True)
    check_encoder(encoder, [*SEQUENCES[:5], None])


class MeanOverPadding(SequenceEncoder):
    """Its head takes padding for steps."""

    def build_head(self):
        layers = [keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)]
        return keras.Sequential([keras.Input(self.feature_shape), *layers])


def test_a_head_that_depends_on_padding_breaks_the_contract():
    with pytest.raises(AssertionError, match="same embedding of a row with and without padding"):
        check_encoder(MeanOverPadding("s"), SEQUENCES)


def test_rows_without_a_sequence_are_zeros_that_are_not_present():
    data = {"s": [[1.0, 2.0], None, [3.0]], "n": [1.0, 2.0, 3.0]}
    encoders = fit_encoders([SequenceEncoder("s", optional=True), DenseEncoder("n")], data)
    inputs = MultimodalDataset(data, encoders)[0][0]
    assert inputs["s"].shape == (3, 2, 2)
    assert not inputs["s"][1].any()
    assert inputs["s_present"].ravel().tolist() == [1, 0, 1]


def test_a_classifier_learns_from_sequences_and_can_be_saved(tmp_path):
    rng = np.random.default_rng(0)
    is_high = np.arange(60) % 2
    data = {"s": [rng.normal(level, 0.2, rng.integers(1, 12)) for level in is_high]}
    head = SequenceHead(units=8, n_layers=1, dropout=0)
    classifier = MultimodalClassifier(
        [SequenceEncoder("s", head=head)], epochs=8, random_state=0, verbose=0
    ).fit(data, is_high[:, np.newaxis])
    assert classifier.evaluate(data, is_high[:, np.newaxis]).mean_roc_auc > 0.95
    classifier.save(tmp_path / "classifier.mme")
    loaded = MultimodalClassifier.load(tmp_path / "classifier.mme")
    scores = classifier.predict_proba(data)
    np.testing.assert_array_equal(loaded.predict_proba(data), scores)
    # A row has the same score alone, without padding.
    np.testing.assert_allclose(loaded.predict_proba({"s": data["s"][:1]}), scores[:1], atol=1e-6)


def test_linear_members_cannot_take_sequences():
    data = {"s": [[1.0, 2.0], [3.0]] * 10}
    with pytest.raises(ModalityError, match=r"'s' differ in length.*MultimodalClassifier"):
        MultimodalEnsemble([SequenceEncoder("s")], verbose=0).fit(data, [[0], [1]] * 10)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([[1.0], 2.0], r"array of shape \(length, channels\).*Received 2.0 in row 1"),
        ([[1.0], "text"], r"Received 'text' in row 1"),
        ([[1.0], ["a"]], r"Received \['a'\] in row 1"),
        ([[1.0], None], r"Received None in row 1. If a sequence is unknown, use None and pass"),
        ([[1.0], [1.0, None]], r"Received \[1.0, None\] in row 1"),
        ([[[1, 2], [3]], [[1, 2]]], r"in row 0"),
        ([np.ones((2, 2, 2))], r"in row 0"),
        ([np.ones((2, 0))], r"in row 0"),
        (
            [[1.0, 2.0], [1.0, np.nan]],
            r"Received nan in step 1, channel 0 of the sequence in row 1",
        ),
        ([np.ma.array([1.0, 2.0], mask=[0, 1])], r"Received nan in step 1"),
        ([[[1, 2], [3, 1e39]]], r"float32\). Received 1e\+39 in step 1, channel 1 .* row 0"),
        ([[[1, 2]], [1.0]], r"sequences of 2 channels. Received 1 in row 1"),
        ([[], []], r"'s' has no step in any of the 2 training rows"),
        ({"a": [1.0]}, r"expects one sequence per row. Received a dict"),
    ],
    ids=str,
)
def test_other_values_are_refused_with_their_row(values, match):
    with pytest.raises(ModalityError, match=match) as raised:
        SequenceEncoder("s").fit(values)
    assert raised.value.row is None or f"row {raised.value.row}" in str(raised.value)


def test_other_channels_than_in_training_are_refused():
    encoder = SequenceEncoder("s").fit(SEQUENCES)
    with pytest.raises(ModalityError, match=r"sequences of 2 channels. Received 1 in row 1"):
        encoder.encode([np.ones((2, 2)), [1.0]])


def test_a_number_that_scaling_makes_infinite_is_refused():
    encoder = SequenceEncoder("s").fit([[0.0, 1e-30]])
    with pytest.raises(ModalityError, match=r"after scaling. Received .* in step 1, channel 0"):
        encoder.encode([[0.0, 1e30]])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: SequenceEncoder("s", max_length=0), "max_length must be a whole number"),
        (lambda: SequenceEncoder("s", column=["a", "b"]), r"'s' reads one column\. Received"),
        (lambda: SequenceEncoder("s", scaling="log"), "scaling must be one of 'standard', None"),
        (lambda: SequenceHead("lstm"), "kind must be one of 'conv', 'gru'"),
        (lambda: SequenceHead(units=0), "units must be a whole number"),
        (lambda: SequenceHead(n_layers=0), "n_layers must be a whole number"),
        (lambda: SequenceHead(kernel_size=0), "kernel_size must be a whole number"),
        (lambda: SequenceHead(dropout=1), "dropout must be at least 0"),
        (lambda: SequenceHead()((3,)), r"takes sequences of vectors. Received the shape \(3,\)"),
    ],
)
def test_invalid_options_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
