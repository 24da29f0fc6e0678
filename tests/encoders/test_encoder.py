"""The base class, and the functions on lists of encoders."""

import hashlib
import json
from enum import Enum, StrEnum

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    Encoder,
    MultimodalDataset,
    fit_encoders,
)
from multimodal_ensemble.encoders import DenseHead, as_encoder_list, present_values
from multimodal_ensemble.exceptions import ModalityError, MultimodalEnsembleError
from tests.toys import ArrayEncoder


class Name(StrEnum):
    TAGS = "tags"


class PlainName(str, Enum):  # noqa: UP042
    TAGS = "tags"


@pytest.mark.parametrize(
    "name",
    [
        *["", "a/b", "/", None, 3, ["tags"], "two words", "größe", "a:b", "_x", "-a", "x" * 101],
        *[Name.TAGS, PlainName.TAGS, b"tags", np.str_("tags")],
    ],
    ids=repr,
)
def test_a_name_that_keras_would_refuse_is_refused(name):
    with pytest.raises(ModalityError, match=r"ASCII letters.*rename it and pass column="):
        ArrayEncoder(name)
    with pytest.raises(ValueError, match="name"):
        ArrayEncoder(name)


@pytest.mark.slow
def test_a_model_with_accepted_names_can_be_trained_saved_and_loaded(tmp_path):
    names = ["tags", "a.b", "a-b", "A_b", "0", "a__b", "x" * 100]
    encoders = [ArrayEncoder(name) for name in names]
    inputs = {each.name: keras.Input(each.input_shape, name=each.name) for each in encoders}
    embeddings = [each.build_head()(inputs[each.name]) for each in encoders]
    model = keras.Model(inputs, keras.layers.Concatenate()(embeddings))
    model.compile("sgd", "mse")
    n_units = model.output.shape[1]
    model.train_on_batch({name: np.ones((4, 2)) for name in names}, np.ones((4, n_units)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    # Equal rows would not show inputs that are exchanged.
    batch = {each.name: each.encode([[1, n], [n, 4]]) for n, each in enumerate(encoders)}
    np.testing.assert_array_equal(loaded(batch), model(batch))


def test_a_subclass_without_the_abstract_members_cannot_be_created():
    class Nothing(Encoder):
        pass

    with pytest.raises(TypeError, match=r"abstract.*encode.*input_shape"):
        Nothing("tags")


def test_the_contract_has_defaults():
    encoder = ArrayEncoder("pair")
    assert encoder.fit([[1, 2]]) is encoder
    assert encoder.get_backbone() is None
    assert encoder.frozen_part() is None
    assert encoder.augmentation is None
    assert encoder.feature_shape == (2,)
    assert encoder.build_head().name == "pair_head"
    assert encoder.head.get_params() == DenseHead().get_params()
    assert encoder.input_dtype == "float32"
    assert encoder.find_unusable([[1, 2]]) == {}
    assert encoder.encoding_config() == {}
    assert encoder.get_state() == {}


@pytest.mark.parametrize(
    "values",
    [[[1, 2], [3, 4]], ([1, 2], [3, 4]), pd.Series([[1, 2], [3, 4]], index=[5, 5]), iter("ab")],
    ids=["list", "tuple", "series", "iterator"],
)
def test_prepared_values_are_an_object_array_of_whole_rows(values):
    values = list(values) if not isinstance(values, pd.Series) else values
    prepared = ArrayEncoder("pair").prepare(values)
    assert (prepared.shape, prepared.dtype) == ((2,), object)
    assert list(prepared) == list(values)


def test_several_prepared_columns_have_one_row_per_row():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [4.5, 5.5, 6.5]}, index=[9, 9, 0])
    encoder = ArrayEncoder("pair", column=["a", "b"])
    prepared = encoder.prepare(encoder.select(frame))
    assert prepared.shape == (3, 2)
    assert encoder.encode(prepared[[2, 0]]).tolist() == [[3, 6.5], [1, 4.5]]


def test_preparing_an_array_returns_it_unchanged():
    array = np.arange(6).reshape(3, 2)
    assert ArrayEncoder("pair").prepare(array) is array


def test_content_digests_depend_on_the_encoded_rows():
    encoder = ArrayEncoder("pair")
    prepared = encoder.prepare([[1, 2], [2, 1], (1.0, 2.0)])
    one, two, three = encoder.content_digests(prepared)
    assert one == three != two
    row = np.array([[1, 2]], dtype="float32")
    assert one == hashlib.sha256(b"<f4(1, 2)" + row.tobytes()).digest()


def test_content_digests_of_sparse_rows_depend_on_the_tokens():
    encoder = BagOfWordsEncoder("tags").fit([["war", "love"], ["space"]])
    digests = encoder.content_digests(
        encoder.prepare([["war"], ["love"], ["war", "war"], [], ["unheard of"]])
    )
    assert len(set(digests)) == 3
    assert digests[0] == digests[2]
    assert digests[3] == digests[4]


# -- columns ---------------------------------------------------------------------------------------

FRAME = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0], "c": list("xy")}, index=[7, 7])


@pytest.mark.parametrize(
    ("column", "columns"), [(None, ["a"]), ("b", ["b"]), (["b", "a"], ["b", "a"]), (("c",), ["c"])]
)
def test_columns_are_the_name_unless_column_is_given(column, columns):
    assert ArrayEncoder("a", column=column).columns == columns


@pytest.mark.parametrize("data", [FRAME, FRAME.to_dict("list"), dict(FRAME.items())])
def test_rows_of_a_selected_column_are_counted_from_0(data):
    selected = ArrayEncoder("a").select(data)
    assert [selected[0], selected[1]] == [1, 2]
    assert list(ArrayEncoder("x", column="b").select(data)) == [3, 4]


@pytest.mark.parametrize(
    "data",
    [FRAME, FRAME.to_dict("list"), {"c": ["x", "y"], "b": pd.Series([3, 4], [1, 0]), "a": (1, 2)}],
    ids=["frame", "lists", "mixed"],
)
def test_several_columns_are_a_table_in_the_order_of_the_option(data):
    selected = ArrayEncoder("x", column=["c", "a", "b"]).select(data)
    assert isinstance(selected, pd.DataFrame)
    assert list(selected) == ["c", "a", "b"]
    assert selected.to_numpy().tolist() == [["x", 1, 3], ["y", 2, 4]]


def test_an_error_about_a_mapping_names_the_column():
    encoder = DenseEncoder("numbers", column=["a", "b"])
    with pytest.raises(ModalityError, match=r"row 1, column 'b'"):
        fit_encoders([encoder], {"a": [1, 2], "b": [1, np.inf]})


@pytest.mark.parametrize("data", [FRAME, FRAME.to_dict("list")], ids=["frame", "mapping"])
@pytest.mark.parametrize(
    ("encoder", "lacking"),
    [
        (ArrayEncoder("tags"), r"\['tags'\]"),
        (ArrayEncoder("a", column="A"), r"\['A'\]"),
        (ArrayEncoder("a", column=["a", "d", "e"]), r"\['d', 'e'\]"),
    ],
    ids=["name", "column", "columns"],
)
def test_a_column_that_the_data_lacks_is_reported_with_the_others(data, encoder, lacking):
    match = rf"'{encoder.name}' reads the column\(s\) {lacking}.*\['a', 'b', 'c'\].*column="
    with pytest.raises(ModalityError, match=match):
        encoder.select(data)


# -- lists of encoders -----------------------------------------------------------------------------


def test_as_encoder_list_accepts_one_encoder_or_several():
    one, two = ArrayEncoder("one"), ArrayEncoder("two")
    assert as_encoder_list([one, two]) == [one, two]
    assert as_encoder_list((one,)) == [one]
    assert as_encoder_list(one) == [one]
    assert as_encoder_list(iter([two, one])) == [two, one]


@pytest.mark.parametrize(
    ("encoders", "match"),
    [
        ([], r"At least one encoder is needed"),
        (
            [ArrayEncoder("a"), "b"],
            r"instance of .*Encoder. Received 'b' of .*str",
        ),
        ([ArrayEncoder], r"Received <class .*ArrayEncoder"),
        ([None], r"Received None of type NoneType"),
        (
            [ArrayEncoder("b"), DenseEncoder("a"), ArrayEncoder("a"), ArrayEncoder("b")],
            r"Received \['a', 'b'\] more than once",
        ),
    ],
    ids=["none", "string", "class", "None", "clash"],
)
def test_as_encoder_list_refuses_anything_else(encoders, match):
    with pytest.raises(ModalityError, match=match):
        as_encoder_list(encoders)
    with pytest.raises(MultimodalEnsembleError, match=match):
        fit_encoders(encoders, FRAME)


def test_fit_encoders_fits_each_encoder_to_its_columns():
    data = pd.DataFrame(
        {"tags": [["war"], ["love", "war"]], "a": [1, 3], "b": [2, 6]}, index=[4, 4]
    )
    encoders = [BagOfWordsEncoder("words", column="tags"), DenseEncoder("n", column=["a", "b"])]
    fitted = fit_encoders(encoders, data)
    assert all(one is other for one, other in zip(fitted, encoders, strict=True))
    assert fitted[0].vocabulary_ == ["war", "love"]
    np.testing.assert_allclose(fitted[1].mean_, [2, 4])


def test_fit_encoders_reports_a_column_that_the_data_lacks():
    with pytest.raises(ModalityError, match=r"'words' reads the column\(s\) \['words'\]"):
        fit_encoders([BagOfWordsEncoder("words")], {"tags": [["war"]]})


@pytest.mark.parametrize(
    "wrap",
    [list, np.array, pd.Series, lambda values: pd.DataFrame({"x": values})],
    ids=["list", "array", "series", "frame"],
)
def test_present_values_are_those_that_are_not_missing(wrap):
    values = wrap([1.0, np.nan, 3.0])
    kept, present = present_values(DenseEncoder("x", optional=True), values)
    assert type(kept) is type(values)
    assert present.tolist() == [True, False, True]
    assert np.ravel(kept).tolist() == [1.0, 3.0]
    kept, present = present_values(DenseEncoder("x"), values)
    assert kept is values
    assert present.all()


class ReadsMissingEncoder(ArrayEncoder):
    """An encoder whose `encode` has a meaning for values that are missing."""

    reads_missing = True


def test_missing_values_of_an_encoder_that_is_not_optional_are_refused():
    values = [[1.0, 2.0], None, [3.0, 4.0], np.nan]
    match = r"'x' \(ArrayEncoder\) has no value in row 1 \(2 such rows in total\).*optional=True"
    for call in (
        lambda: present_values(ArrayEncoder("x"), values),
        lambda: fit_encoders([ArrayEncoder("x")], {"x": values}),
        lambda: MultimodalDataset({"x": values}, [ArrayEncoder("x")]),
    ):
        with pytest.raises(ModalityError, match=match) as info:
            call()
        assert info.value.row == 1
    assert present_values(ReadsMissingEncoder("x"), values)[0] is values


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        ([[1.0, 2.0]] * 3, r"Received an object of type list"),
        (np.zeros((2, 2)), r"shape \(n, \*input_shape\) = \(3, 2\).*array of shape \(2, 2\)"),
        (np.zeros((3, 2, 1)), r"Received an array of shape \(3, 2, 1\) and dtype float64"),
        (np.full((3, 2), "1"), r"array of numbers.*dtype <U1. Correct WrongEncoder.encode"),
    ],
    ids=["list", "rows", "shape", "strings"],
)
def test_what_encode_returns_is_checked_in_use(returned, match):
    class WrongEncoder(ArrayEncoder):
        def encode(self, values):
            return returned

    with pytest.raises(ModalityError, match=match):
        MultimodalDataset({"x": [[1.0, 2.0]] * 3}, [WrongEncoder("x")])


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_a_row_that_is_not_finite_is_named(number):
    class RatioEncoder(ArrayEncoder):
        def encode(self, values):
            return np.asarray(list(values), dtype=np.float64)

    values = [[1.0, 2.0], [3.0, 4.0], [number, 5.0]]
    match = r"Modality 'x': RatioEncoder.encode returned NaN, infinity .* in row 2. Return finite"
    with pytest.raises(ModalityError, match=match) as info:
        MultimodalDataset({"x": values}, [RatioEncoder("x")])
    assert info.value.row == 2


@pytest.mark.parametrize("optional", [True, False])
def test_values_that_an_encoder_counts_as_missing(optional):
    class MarkedEncoder(ArrayEncoder):
        def find_missing(self, values):
            return np.array([value is None or value == "?" for value in values])

    encoder = MarkedEncoder("x", optional=optional)
    if optional:
        assert present_values(encoder, [[1.0], "?", None])[1].tolist() == [True, False, False]
    else:
        with pytest.raises(ModalityError, match=r"no value in row 1 \(2 such rows in total\)"):
            present_values(encoder, [[1.0], "?", None])


def test_rows_that_are_present_are_counted_from_0():
    values = pd.Series([None, [1.0], [2.0]], index=["c", "b", "a"])
    encoder = ArrayEncoder("x", optional=True)
    present, _ = present_values(encoder, encoder.select(pd.DataFrame({"x": values})))
    assert [present[0], present[1]] == [[1.0], [2.0]]


@pytest.mark.parametrize("found", [[False, True], np.array([0, 1]), np.array([True])])
def test_what_find_missing_returns_is_checked(found):
    class WrongEncoder(ArrayEncoder):
        def find_missing(self, values):
            return found

    match = r"find_missing of modality 'x' must return a NumPy array of 2 booleans. Received"
    with pytest.raises(ModalityError, match=match):
        present_values(WrongEncoder("x", optional=True), [[1.0, 2.0], [3.0, 4.0]])


def test_an_unknown_kind_of_parts_is_refused():
    class LetterEncoder(ArrayEncoder):
        part_kind = "letter"

    match = "LetterEncoder.part_kind must be one of 'column', 'token', 'word'. Received .*'letter'"
    with pytest.raises(ValueError, match=match):
        LetterEncoder("x")


# -- configuration and state -----------------------------------------------------------------------

UNFITTED = [
    BagOfWordsEncoder("tags", column="t", max_tokens=3, drop=("a",), delimiter="|"),
    BagOfWordsEncoder("tags", tokenizer="words", tfidf=True, head=DenseHead(2, activation=None)),
    DenseEncoder("numbers", column=["a", "b"], scaling=None, head=DenseHead(3)),
]


@pytest.mark.parametrize("encoder", UNFITTED, ids=repr)
def test_the_configuration_as_json_creates_an_equal_encoder(encoder):
    config = json.loads(json.dumps(encoder.get_config()))
    copy = type(encoder).from_config(config)
    assert json.loads(json.dumps(copy.get_config())) == config


@pytest.mark.parametrize("encoder", UNFITTED, ids=repr)
def test_keras_serialises_an_encoder_under_the_name_of_the_package(encoder):
    config = keras.saving.serialize_keras_object(encoder)
    assert config["registered_name"] == f"multimodal_ensemble>{type(encoder).__name__}"
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert json.dumps(copy.get_config()) == json.dumps(encoder.get_config())


@pytest.mark.parametrize("encoder", UNFITTED, ids=repr)
def test_a_clone_has_the_options_and_nothing_learned(encoder):
    fitted = clone(encoder)
    values = FRAME[["a", "b"]] if isinstance(encoder, DenseEncoder) else ["war|love", "love"]
    fitted.fit(values)
    copy = clone(fitted)
    assert json.dumps(copy.get_config()) == json.dumps(encoder.get_config())
    assert fitted.get_state()
    assert copy.get_state() == {}


def test_from_config_ignores_unknown_options():
    config = {**DenseEncoder("a").get_config(), "unknown": 1}
    assert DenseEncoder.from_config(config).name == "a"


def test_the_state_is_what_fit_learned_and_moves_to_a_copy():
    encoder = DenseEncoder("numbers").fit([[1, 2], [3, 6]])
    learned = {"n_features_", "feature_names_", "mean_", "scale_", "indicated_"}
    assert set(encoder.get_state()) == learned
    copy = DenseEncoder("numbers").set_state(encoder.get_state())
    np.testing.assert_array_equal(copy.encode([[5, 5]]), encoder.encode([[5, 5]]))


def test_an_empty_list_of_columns_is_refused():
    with pytest.raises(ModalityError, match="at least one column"):
        ArrayEncoder("tags", column=[])


@pytest.mark.parametrize(
    "column",
    [
        *[0, np.int64(0), [0, 1], 0.5, True, [None], b"a", Name.TAGS, PlainName.TAGS],
        *[[("a", "b")], ("a", ("b", "c")), {"a", "b"}, iter(["a"]), pd.Timestamp(0)],
    ],
)
def test_names_of_columns_that_are_not_strings_are_refused(column):
    match = r"list of strings. Received .* of type .*rename\(columns=str\).*'_'.join"
    with pytest.raises(ModalityError, match=match):
        ArrayEncoder("tags", column=column)


def test_a_column_that_is_named_twice_is_refused():
    with pytest.raises(ModalityError, match=r"distinct columns. Received \['a'\] more than once"):
        ArrayEncoder("tags", column=["a", "b", "a"])


@pytest.mark.parametrize(
    "column", ["", " ", "a/b", "a__b", "größe", "x" * 9999, "{}", "\0", np.str_("a")], ids=len
)
def test_a_column_may_have_any_string_as_its_name(column):
    table = pd.DataFrame({column: [1.0, 2.0], "other": [3.0, 5.0]})
    for option in (column, [column, "other"]):
        encoder = DenseEncoder("x", column=option)
        copy = DenseEncoder.from_config(json.loads(json.dumps(encoder.get_config())))
        (fitted,) = fit_encoders([copy], table)
        expected = table[fitted.columns].to_numpy()
        np.testing.assert_array_equal(fitted.mean_, expected.mean(axis=0))


# -- data that is not a table of columns -----------------------------------------------------------

TWICE = pd.DataFrame([[1.0, 2.0, 3.0]] * 2, columns=["a", "b", "a"])
LEVELS = pd.DataFrame([[1.0, 2.0]] * 2, columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
NO_TABLES = {
    "repeated": (lambda: TWICE, r"distinct names. Received \['a'\] more than once"),
    "levels": (lambda: LEVELS, r"one name each. Received 2 levels of names; try data.columns ="),
    "to_dict": (FRAME.to_dict, r"Column 'a' must be .* a dict, whose keys are not rows"),
    "records": (lambda: FRAME.to_dict("records"), r"mapping of columns. Received list; try pandas"),
    "series": (lambda: FRAME["a"], r"mapping of columns. Received Series; try pandas"),
    "table": (lambda: {"a": FRAME}, r"a DataFrame, which has columns of its own"),
    "iterator": (lambda: {"a": iter([1, 2])}, r"a list_iterator, which can be read only once"),
    "generator": (lambda: {"a": (i for i in [1, 2])}, r"a generator, which can be read only once"),
    "map": (lambda: {"a": map(float, [1, 2])}, r"a map, which can be read only once"),
    "set": (lambda: {"a": {1, 2}}, r"a set, whose rows have no order"),
    "string": (lambda: {"a": "xy"}, r"one value for \['a'\]; for a single row, pass pandas"),
    "number": (lambda: {"a": 1}, r"one value for \['a'\]"),
    "array of no axis": (lambda: {"a": np.array(1)}, r"one value for \['a'\]"),
    "bytearray": (lambda: {"a": bytearray(2)}, r"one value for \['a'\]"),
}


@pytest.mark.parametrize("name", NO_TABLES)
@pytest.mark.parametrize(
    "read",
    [
        lambda data: ArrayEncoder("a").select(data),
        lambda data: ArrayEncoder("x", column=["a"]).select(data),
        lambda data: fit_encoders([DenseEncoder("a", optional=True)], data),
        lambda data: MultimodalDataset(data, [DenseEncoder("a").fit([1.0, 2.0])]),
    ],
    ids=["select", "select several", "fit_encoders", "dataset"],
)
def test_data_that_would_be_read_as_other_columns_is_refused(name, read):
    make, match = NO_TABLES[name]
    with pytest.raises(ModalityError, match=match):
        read(make())


def test_an_absent_optional_modality_has_the_rows_of_the_other_columns():
    encoder = DenseEncoder("z", optional=True)
    assert encoder.select(FRAME).tolist() == encoder.select({"a": (1, 2)}).tolist() == [None, None]
    with pytest.raises(ModalityError, match="whose keys are not rows"):
        encoder.select(FRAME.to_dict())


def test_repeated_columns_do_not_affect_an_encoder_of_another_column():
    assert ArrayEncoder("b").select(TWICE).tolist() == [2, 2]


def test_views_of_a_dict_are_columns():
    data = {"a": {1: 2.5, 2: 3.5}.values(), "b": {1: 2.5, 2: 3.5}.keys()}
    dataset = MultimodalDataset(data, [DenseEncoder("x", column=["a", "b"]).fit([[1, 1]])])
    assert dataset[0][0]["x"].tolist() == [[1.5, 0], [2.5, 1]]


@pytest.mark.parametrize("name", ["Tags", " tags", "tags\u2060", "\uff54ags"])
def test_an_absent_optional_column_with_a_similar_name_issues_a_warning(name):
    encoder = ArrayEncoder("tags", optional=True)
    with pytest.warns(UserWarning, match=r"'tags' is missing in all rows.*if that is the same"):
        assert list(encoder.select({name: [1, 2]})) == [None, None]


def test_a_constructor_that_collects_its_arguments_is_refused():
    class Collecting(DenseEncoder):
        def __init__(self, name, **options):
            super().__init__(name, **options)

    with pytest.raises(TypeError, match="Collecting must name its arguments"):
        clone(Collecting("x", scaling=None))
