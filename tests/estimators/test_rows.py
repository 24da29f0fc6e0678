"""Training and validation rows: how they are split, checked and paired with labels and weights."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from multimodal_ensemble import DenseEncoder, MultimodalClassifier
from multimodal_ensemble._target import Target
from multimodal_ensemble.estimators._read_table import read_table
from multimodal_ensemble.estimators._rows import Rows, hold_out, read_training_rows
from multimodal_ensemble.exceptions import ImageReadError, ModalityError


def make_rows(n_rows, y=None, weight=None):
    if y is None:
        y = np.stack([np.arange(n_rows) % 2 == 0, np.arange(n_rows) % 3 == 0], axis=1)
    # The index repeats one value, because rows are identified by their position.
    table = pd.DataFrame({"row": range(n_rows)}, index=[7] * n_rows)
    return Rows(table, np.asarray(y, dtype=bool), weight)


def read(X, y, *, validation_data=None, sample_weight=None, groups=None, known=None, **options):
    estimator = MultimodalClassifier([], **options)
    return read_training_rows(
        estimator,
        X,
        y,
        validation_data=validation_data,
        sample_weight=sample_weight,
        groups=groups,
        known=known,
        seed=1,
    )


# -- splitting -------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(12, 80), st.floats(0.25, 0.9), st.integers(0, 9))
def test_each_row_is_either_a_training_or_a_validation_row(n_rows, fraction, seed):
    rows = make_rows(n_rows, weight=list(range(1, n_rows + 1)))
    train, validation = hold_out(rows, fraction, seed)
    both = [*train.data["row"], *validation.data["row"]]
    assert sorted(both) == list(range(n_rows))
    assert len(validation.data) == round(fraction * n_rows)
    for part in (train, validation):
        positions = part.data["row"].to_numpy()
        np.testing.assert_array_equal(part.positions, positions)
        np.testing.assert_array_equal(part.y, rows.y[positions])
        np.testing.assert_array_equal(part.weight, positions + 1)


def test_each_label_has_its_share_of_the_validation_rows():
    _, validation = hold_out(make_rows(600), 0.1, 1)
    assert validation.y.shape == (60, 2)
    assert validation.y.sum(axis=0).tolist() == [30, 20]


def test_validation_rows_of_many_rows_are_random(monkeypatch):
    monkeypatch.setattr("multimodal_ensemble.estimators._rows._MAX_STRATIFIED", 599)
    rows = make_rows(600)
    train, validation = hold_out(rows, 0.1, 1)
    assert len(validation.y) == 60
    both = [*train.data["row"], *validation.data["row"]]
    assert sorted(both) == list(range(600))
    assert validation.data["row"].is_monotonic_increasing
    assert hold_out(rows, 0.1, 2)[1].data["row"].tolist() != validation.data["row"].tolist()
    # With groups, all of their rows stay together.
    groups = np.arange(600) // 3
    _, grouped = hold_out(rows, 0.1, 1, groups=groups)
    assert (np.bincount(groups[grouped.positions])[np.unique(groups[grouped.positions])] == 3).all()


def test_the_seed_chooses_the_validation_rows():
    def held_out(seed):
        return hold_out(make_rows(60), 0.2, seed)[1].data["row"].tolist()

    assert held_out(1) == held_out(1)
    assert held_out(1) != held_out(2)


def test_without_a_fraction_all_rows_are_training_and_validation_rows():
    rows = make_rows(5)
    train, validation = hold_out(rows, None, 1)
    assert train is rows
    assert validation is rows


def test_parts_of_rows_without_weights_have_no_weights():
    train, validation = hold_out(make_rows(20), 0.2, 1)
    assert train.weight is None
    assert validation.weight is None


@pytest.mark.parametrize("fraction", [0.1, None])
def test_one_row_cannot_be_split(fraction):
    match = r"n_samples=1: one row cannot be split.*Pass more rows, or validation_data=\(X, y\)"
    with pytest.raises(ValueError, match=match) as raised:
        hold_out(make_rows(1), fraction, 1)
    # The same check refuses this one.
    assert "validation_fraction=None" not in str(raised.value)


@pytest.mark.parametrize(
    ("n_rows", "fraction", "held_out"), [(9, 0.1, 1), (2, 0.5, 1), (3, 0.1, 1)]
)
def test_validation_rows_that_cannot_be_evaluated_are_refused(n_rows, fraction, held_out):
    match = (
        rf"In the {held_out} of {n_rows} rows that validation_fraction={fraction} holds out, no "
        r"label is both present and absent.*a larger validation_fraction, or validation_fraction=N"
    )
    with pytest.raises(ValueError, match=match):
        hold_out(make_rows(n_rows), fraction, 1)


@pytest.mark.parametrize("y", [np.zeros((20, 2)), np.ones((20, 2))], ids=["none", "all"])
def test_constant_labels_cannot_be_evaluated(y):
    with pytest.raises(
        ValueError, match=r"both present and absent.*\. Pass validation_data=\(X, y\)\.$"
    ):
        hold_out(make_rows(20, y), 0.2, 1)


# -- reading ---------------------------------------------------------------------------------


TABLE = pd.DataFrame({"a": range(20)})
LABELS = pd.DataFrame({"war": np.arange(20) % 2, "love": np.arange(20) % 3 == 0}) * 1


def test_reading_returns_columns_and_does_not_change_the_estimator():
    estimator = MultimodalClassifier([], validation_fraction=0.5)
    before = dict(vars(estimator))
    rows = read_training_rows(
        estimator, TABLE, LABELS, validation_data=None, sample_weight=None, known=None, seed=1
    )
    assert vars(estimator) == before
    assert rows.n_features_in == 1
    assert rows.feature_names_in.tolist() == ["a"]
    assert rows.labels.tolist() == ["war", "love"]
    assert rows.is_same is False


def test_an_array_has_no_names_of_columns():
    rows = read(np.arange(40.0).reshape(20, 2), LABELS, validation_fraction=0.5)
    assert rows.n_features_in == 2
    assert rows.feature_names_in is None


def test_validation_rows_must_have_the_columns_of_the_training_rows():
    X = np.arange(40.0).reshape(20, 2)
    with pytest.raises(ValueError, match="X has 1 features, but MultimodalClassifier is expecting"):
        read(X, LABELS, validation_data=(X[:, :1], LABELS))


@pytest.mark.parametrize(
    "X",
    [
        np.ones((2, 1), dtype="m8[D]"),
        np.array([[np.timedelta64(1, "D")], [np.timedelta64(2, "D")]], dtype=object),
        np.array([["1"], ["2"]], dtype=object),
        [["1"], ["2"]],
        [[10**39], [1]],
        [[np.inf], [1.0]],
    ],
    ids=["time spans", "objects", "strings", "lists", "large", "infinite"],
)
def test_an_array_is_checked_by_the_encoder_with_row_and_column(X):
    table = read_table(MultimodalClassifier([]), X, reset=True)
    encoder = DenseEncoder("features")
    with pytest.raises(ModalityError, match=r"Received .* in row \d, column 'features'"):
        encoder.fit(encoder.select(table))


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize(
    ("X", "match"),
    [
        (TABLE.to_dict(), "whose keys are not rows"),
        (pd.concat([TABLE, TABLE], axis=1), r"distinct names. Received \['a'\] more than once"),
        (pd.concat({"a": TABLE}, axis=1), "2 levels of names"),
        ({"a": iter(range(20))}, "can be read only once"),
    ],
    ids=["to_dict", "repeated", "levels", "iterator"],
)
def test_tables_that_would_be_read_as_other_columns_are_refused(X, match, reset):
    with pytest.raises(ModalityError, match=match):
        read_table(MultimodalClassifier([]), X, reset=reset)


@pytest.mark.parametrize("same", [True, False])
def test_validation_on_the_training_rows_is_recognised(same):
    data = TABLE if same else TABLE.copy()
    assert read(TABLE, LABELS, validation_data=(data, LABELS)).is_same is same
    assert read(TABLE, LABELS, validation_fraction=None).is_same is True


def test_a_warning_names_a_label_that_no_training_row_has():
    with pytest.warns(UserWarning, match=r"No training row has the label\(s\) \['love'\]"):
        read(TABLE, LABELS.assign(love=0), validation_fraction=0.5)


def test_a_warning_names_a_label_that_only_validation_rows_have():
    with pytest.warns(UserWarning, match=r"\['love'\], so they cannot be learned"):
        read(TABLE, LABELS.assign(love=0), validation_data=(TABLE, LABELS))


def test_a_table_and_labels_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"same number of rows. Received 5 and 4"):
        Rows(pd.DataFrame({"a": range(5)}), np.zeros((4, 2), dtype=bool), None)


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        ([1, 2, 3], r"sample_weight must have shape \(4,\). Received shape \(3,\)"),
        ([[1], [1], [1], [1]], r"Received shape \(4, 1\)"),
        ([1, 2, 3, -1], "finite and not negative"),
        ([1, 2, 3, np.nan], "finite and not negative"),
        ([0, 0, 0, 0], "not be zero everywhere"),
        (["a", "b", "c", "d"], "sample_weight must be numeric"),
    ],
    ids=str,
)
def test_weights_that_do_not_fit_the_rows_are_refused(weight, match):
    with pytest.raises(ValueError, match=match):
        make_rows(4, weight=weight)


def test_weights_in_a_series_are_read_by_position():
    rows = make_rows(4, weight=pd.Series([1.0, 2.0, 3.0, 4.0], index=[3, 2, 1, 0]))
    assert rows.take(np.array([0, 3])).weight.tolist() == [1.0, 4.0]


# -- pairing ---------------------------------------------------------------------------------

SHUFFLED = TABLE.assign(b=1.5).iloc[::-1]


@pytest.mark.parametrize(
    "X",
    [
        SHUFFLED,
        {"a": SHUFFLED["a"], "b": SHUFFLED["b"]},
        {"a": SHUFFLED["a"], "b": [1.5] * 20},
    ],
    ids=["table", "series", "series and list"],
)
@pytest.mark.parametrize("y", [LABELS, pd.Series([["war"], ["love"]] * 10)], ids=["table", "lists"])
def test_rows_of_other_index_labels_are_refused(X, y):
    match = r"rows of y and of X have different index labels. Align them with y.loc\[X.in"
    with pytest.raises(ValueError, match=match):
        read(X, y)
    with pytest.raises(ValueError, match=match):
        read(TABLE.assign(b=1.5), LABELS, validation_data=(X, y))
    rows = read(X, y.loc[SHUFFLED.index], validation_fraction=None)
    assert rows.train.data["a"].tolist() == list(range(20))[::-1]
    by_position = y.to_numpy() if y is LABELS else y.tolist()
    np.testing.assert_array_equal(
        read(X, by_position, validation_fraction=None).train.y, rows.train.y[::-1]
    )


@pytest.mark.parametrize("name", ["sample_weight", "groups"])
@pytest.mark.parametrize("X", [TABLE, TABLE.to_numpy(float)], ids=["table", "array"])
def test_weights_and_groups_of_other_rows_are_refused(X, name):
    values = pd.Series(np.arange(20) // 2 + 1, index=TABLE.index[::-1])
    with pytest.raises(ValueError, match=f"rows of {name} and of .* have different index labels"):
        read(X, LABELS, **{name: values})
    read(X, LABELS, validation_fraction=0.3, **{name: values.loc[TABLE.index]})


@pytest.mark.parametrize("as_lists", [False, True])
def test_arrow_tables_keep_the_names_of_their_columns(as_lists):
    data = pd.DataFrame({"tags": [["a"], None] * 10, "number": np.arange(20) / 2})
    X = pa.Table.from_pandas(data, preserve_index=False)
    y = pa.chunked_array([[["war"], ["love", "war"]]] * 10)
    if not as_lists:
        y = pa.Table.from_pandas(LABELS[["love", "war"]])
    weight = pa.array(range(1, 21))
    known = Target("multilabel", np.array(["war", "love"], dtype=object))
    rows = read(X, y, sample_weight=weight, known=known, validation_fraction=None)
    assert rows.feature_names_in.tolist() == ["tags", "number"]
    assert rows.train.data["number"].tolist() == data["number"].tolist()
    assert rows.train.data["tags"].tolist() == data["tags"].tolist()
    expected = [[1, 0], [1, 1]] * 10 if as_lists else LABELS[["war", "love"]].to_numpy()
    np.testing.assert_array_equal(rows.train.y, expected)
    assert list(rows.train.weight) == list(range(1, 21))


# -- groups ----------------------------------------------------------------------------------


def test_held_out_rows_share_no_group_with_the_training_rows():
    groups = np.repeat([f"patient {number}" for number in range(5)], 4)
    rows = read(TABLE, LABELS, groups=groups, validation_fraction=0.2)
    held_out = set(groups[rows.validation.positions])
    assert len(rows.validation.data) == 4
    assert len(held_out) == 1
    assert held_out.isdisjoint(groups[rows.train.positions])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"validation_data": (TABLE, LABELS)}, "nothing is held out; omit groups"),
        ({"validation_fraction": None}, "nothing is held out; omit groups"),
        ({"groups": [1] * 20}, "at least 2 different groups"),
        ({"groups": [1, 2]}, r"groups must have shape \(20,\)"),
        ({"groups": "product"}, r"Received the string 'product'; .* pass X\['product'\]"),
    ],
)
def test_groups_that_cannot_be_kept_together_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        read(TABLE, LABELS, **{"groups": np.arange(20), **options})


# -- errors about a row ----------------------------------------------------------------------


def raise_within(rows, error):
    with rows.locating_errors():
        raise error


@pytest.mark.parametrize("kind", [ModalityError, ImageReadError])
def test_an_error_about_a_row_of_a_part_gets_the_row_of_x(kind):
    part = make_rows(9).take(np.array([2, 5, 7]))
    with pytest.raises(kind) as raised:
        raise_within(part, kind("tags", row=1))
    assert raised.value.__notes__ == [
        "Only a part of the rows of X is used here: row 1 of this part is row 5 of X."
    ]


@pytest.mark.parametrize(
    ("rows", "row"),
    [(make_rows(9), 1), (make_rows(9).take(np.array([2])), None)],
    ids=["all rows", "an error about no row"],
)
def test_other_errors_get_no_note(rows, row):
    with pytest.raises(ModalityError) as raised:
        raise_within(rows, ModalityError("tags", row=row))
    assert not hasattr(raised.value, "__notes__")
