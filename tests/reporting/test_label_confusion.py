"""Confusions against a loop over rows and pairs of labels."""

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble.reporting import label_confusion, plot_label_confusion

RNG = np.random.default_rng(0)
TRUE = RNG.random((50, 4)) < 0.4
PREDICTED = RNG.random((50, 4)) < 0.4
NAMES = ["Drama", "War", "Comedy", "Crime"]


def count_confusions():
    counts = np.zeros((4, 4), dtype=int)
    for true, predicted in zip(TRUE, PREDICTED, strict=True):
        for i in range(4):
            for j in range(4):
                if i == j:
                    counts[i, j] += true[i] and predicted[i]
                else:
                    is_confused = true[i] and not predicted[i] and predicted[j] and not true[j]
                    counts[i, j] += is_confused
    return counts


def test_counts_are_those_of_a_loop():
    found = label_confusion(TRUE, PREDICTED, NAMES, normalize=None)
    np.testing.assert_array_equal(found, count_confusions())
    assert found.index.tolist() == found.columns.tolist() == NAMES


def test_shares_are_of_the_rows_that_have_the_label():
    expected = count_confusions() / TRUE.sum(axis=0)[:, np.newaxis]
    np.testing.assert_allclose(label_confusion(TRUE, PREDICTED), expected)


def test_a_label_that_no_row_has_is_undefined():
    found = label_confusion(TRUE & [True, True, True, False], PREDICTED, NAMES)
    assert found.loc["Crime"].isna().all()
    assert found.drop("Crime").notna().all(axis=None)


def test_columns_are_paired_by_name():
    true, predicted = pd.DataFrame(TRUE, columns=NAMES), pd.DataFrame(PREDICTED, columns=NAMES)
    expected = label_confusion(TRUE, PREDICTED, NAMES)
    pd.testing.assert_frame_equal(label_confusion(true, predicted[NAMES[::-1]]), expected)
    pd.testing.assert_frame_equal(label_confusion(TRUE, predicted), expected)


def test_the_figure_shows_the_numbers():
    figure = plot_label_confusion(TRUE, PREDICTED, NAMES, unit="films")
    axis = figure.axes[0]
    assert axis.get_ylabel() == "of the films with"
    found = label_confusion(TRUE, PREDICTED, NAMES).to_numpy().ravel()
    assert [text.get_text() for text in axis.texts] == [f"{value:.2f}" for value in found]


@pytest.mark.parametrize(
    ("true", "predicted", "options", "message"),
    [
        (TRUE, PREDICTED[:, :3], {}, "same shape"),
        (TRUE, PREDICTED * 2, {}, "y_pred"),
        (TRUE, PREDICTED, {"normalize": "lift"}, "normalize"),
        (TRUE, PREDICTED, {"labels": ["Drama"]}, "labels"),
        (pd.DataFrame(TRUE), pd.DataFrame(PREDICTED)[::-1], {}, "index"),
        (
            pd.DataFrame(TRUE, columns=NAMES),
            pd.DataFrame(PREDICTED, columns=[*NAMES[:3], "Western"]),
            {},
            r"Without a value: \['Crime'\]. Not a label: \['Western'\]",
        ),
    ],
)
def test_bad_input_is_refused(true, predicted, options, message):
    with pytest.raises(ValueError, match=message):
        label_confusion(true, predicted, **options)
