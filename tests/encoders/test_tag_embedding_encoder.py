"""`TagEmbeddingEncoder` compared with dense NumPy computations on the same tokens."""

from collections import Counter

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from multimodal_ensemble import BagOfWordsEncoder, TagEmbeddingEncoder, fit_encoders
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.testing import check_encoder

NAMES = ["war", "space", "space opera", "robot", "love", "Paris", "rain", "train", "night train"]


def draw_rows(n_rows, *, seed=0, names=NAMES):
    """Return lists of tags that occur together in groups, one of them empty."""
    rng = np.random.default_rng(seed)
    half = len(names) // 2
    groups = [names[: half + 1], names[half:]]
    picked = [
        rng.choice(groups[row % 2], rng.integers(1, 5), replace=False) for row in range(n_rows)
    ]
    return [[], *[row.tolist() for row in picked]]


def tokens_of(tags):
    """Return tags and the words that are in two of `NAMES`."""
    words = {word for tag in tags for word in tag.lower().split()} & {"space", "train"}
    return {*tags, *(f"word:{word}" for word in words)}


def compute_pmi(rows, vocabulary):
    """Return the positive pointwise mutual information, pair by pair of tokens."""
    sets = [tokens_of(row) for row in rows]
    together = Counter((one, other) for row in sets for one in row for other in row if one != other)
    pairs = np.array([[together[one, other] for other in vocabulary] for one in vocabulary])
    p_pair, p_token = pairs / pairs.sum(), pairs.sum(axis=1) / pairs.sum()
    p_context = pairs.sum(axis=0) ** 0.75 / (pairs.sum(axis=0) ** 0.75).sum()
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(p_pair / np.outer(p_token, p_context)), 0)


def scale_rows(matrix):
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, 1)


@pytest.mark.parametrize(("dim", "tolerance"), [(3, 1e-3), (300, 1e-5)])
def test_vectors_and_rows_equal_a_dense_computation(dim, tolerance):
    rows = draw_rows(60)
    encoder = TagEmbeddingEncoder("tags", dim=dim, min_df=2).fit(rows)
    n_rows_with = Counter(token for row in rows for token in tokens_of(row))
    assert set(encoder.vocabulary_) == {t for t, number in n_rows_with.items() if number >= 2}
    left, values, _ = np.linalg.svd(compute_pmi(rows, encoder.vocabulary_))
    vectors = scale_rows(left[:, :dim] * np.sqrt(values[:dim]))
    assert encoder.input_shape == (min(dim, len(encoder.vocabulary_)),)
    # The signs of singular vectors are arbitrary.
    products = encoder.token_vectors_ @ encoder.token_vectors_.T
    np.testing.assert_allclose(products, vectors @ vectors.T, atol=tolerance)
    idf = {t: np.log((1 + len(rows)) / (1 + n_rows_with[t])) + 1 for t in encoder.vocabulary_}
    weights = np.array(
        [[idf[t] * (t in tokens_of(row)) for t in encoder.vocabulary_] for row in rows]
    )
    expected = scale_rows(weights @ encoder.token_vectors_)
    np.testing.assert_allclose(encoder.encode(rows), expected, atol=1e-6)


def test_rows_without_a_known_token_are_zeros_and_all_others_have_length_1():
    rows = draw_rows(40)
    encoder = TagEmbeddingEncoder("tags").fit(rows)
    encoded = encoder.encode([*rows[1:], [], ["unheard of"]])
    np.testing.assert_allclose(np.linalg.norm(encoded[:-2], axis=1), 1, rtol=1e-5)
    assert encoder.zeros_are_empty
    assert not encoded[-2:].any()
    assert encoded.dtype == np.float32


def test_a_token_counts_once_per_row_however_often_the_row_holds_it():
    rows = [[*row, *row[:1]] for row in draw_rows(30)]
    encoder = TagEmbeddingEncoder("tags").fit(rows)
    other = TagEmbeddingEncoder("tags").fit([{tag: 2 for tag in row} for row in rows])
    assert set(encoder.vocabulary_) == set(other.vocabulary_)
    np.testing.assert_allclose(
        encoder.encode(rows) @ encoder.encode(rows).T,
        other.encode(rows) @ other.encode(rows).T,
        atol=1e-5,
    )


def test_tags_that_share_contexts_are_similar_without_a_common_row():
    rows = [["space", "war"], ["space", "robot"], ["love", "paris"], ["love", "rain"]] * 3
    encoder = TagEmbeddingEncoder("tags", words=False).fit(rows)
    war, robot, rain = encoder.encode([["war"], ["robot"], ["rain"]])
    assert war @ robot > 0.9
    assert abs(war @ rain) < 1e-6


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize(
    "rows",
    [[["a"]] * 3, [["a"], [], []], [["a"], ["b"], ["c"]], [["a", "b"]] * 3, [["a", "b"], ["c"]]],
    ids=str,
)
def test_tiny_tables_have_finite_vectors_of_at_least_one_number(rows, words):
    encoder = TagEmbeddingEncoder("tags", words=words).fit(rows)
    encoded = encoder.encode(rows)
    assert encoded.shape == (len(rows), *encoder.input_shape)
    assert 1 <= encoder.input_shape[0] <= len(encoder.vocabulary_)
    assert np.isfinite(encoded).all()


def test_two_fits_result_in_the_same_vectors_in_any_order_of_rows():
    rows = draw_rows(50)
    encoder = TagEmbeddingEncoder("tags", dim=4).fit(rows)
    again = TagEmbeddingEncoder("tags", dim=4).fit(rows[::-1])
    assert again.vocabulary_ == encoder.vocabulary_
    np.testing.assert_array_equal(again.token_vectors_, encoder.token_vectors_)


def test_unlabelled_rows_are_learned_from_as_training_rows_are():
    rows, more = draw_rows(20), draw_rows(30, seed=1, names=[*NAMES, "alien", "ufo", "sun", "sea"])
    encoder = TagEmbeddingEncoder("tags").fit(rows, unlabelled=more)
    together = TagEmbeddingEncoder("tags").fit([*rows, *more])
    assert encoder.vocabulary_ == together.vocabulary_
    assert set(encoder.vocabulary_) > set(TagEmbeddingEncoder("tags").fit(rows).vocabulary_)
    np.testing.assert_array_equal(encoder.token_vectors_, together.token_vectors_)
    np.testing.assert_array_equal(encoder.idf_, together.idf_)


def test_fit_encoders_passes_unlabelled_rows_to_encoders_that_use_them():
    data = {"tags": [["war", "space"], None, ["war"]]}
    more = {"tags": [None, ["love", "space"], ["love"]], "other": [1, 2, 3]}
    bag = BagOfWordsEncoder("bag", column="tags", optional=True)
    embedding = TagEmbeddingEncoder("tags", words=False, optional=True)
    fit_encoders([bag, embedding], data, unlabelled=more)
    assert bag.vocabulary_ == ["war", "space"]
    assert embedding.vocabulary_ == ["love", "space", "war"]
    # A column that no encoder would learn from may be absent.
    with pytest.warns(UserWarning, match="No encoder learns from unlabelled rows"):
        fit_encoders([BagOfWordsEncoder("tags", optional=True)], data, unlabelled={"other": [1]})


def test_an_error_in_unlabelled_rows_says_where_it_is():
    encoder = TagEmbeddingEncoder("tags", optional=True)
    match = r"Among the unlabelled rows that have this modality: .* Received 3 in row 1"
    data, more = {"tags": [None, ["a"], ["b"]]}, {"tags": [None, ["a"], 3]}
    with pytest.raises(ModalityError, match=match) as info:
        fit_encoders([encoder], data, unlabelled=more)
    assert info.value.row is None
    with pytest.raises(ModalityError, match=r"In the unlabelled rows: .* reads the column"):
        fit_encoders([TagEmbeddingEncoder("tags")], {"tags": [["a"]]}, unlabelled={"tag": [["a"]]})


@pytest.mark.parametrize("dim", [0, 1.5, "9", True])
def test_a_size_out_of_range_is_refused(dim):
    with pytest.raises(ValueError, match=rf"dim must be a whole number .*dim={dim!r}"):
        TagEmbeddingEncoder("tags", dim=dim)


@pytest.mark.parametrize(
    ("rows", "options"), [([], {}), ([[], []], {}), ([["war"], ["war"]], {"drop": ["war"]})]
)
def test_fit_without_a_token_is_an_error(rows, options):
    with pytest.raises(ModalityError, match=rf"'tags' has no token left. The {len(rows)} train"):
        TagEmbeddingEncoder("tags", **options).fit(rows)


def test_before_fit_the_error_names_the_modality():
    with pytest.raises(NotFittedError, match=r"'tags' is not fitted yet"):
        TagEmbeddingEncoder("tags").encode([["war"]])


def test_it_keeps_the_contract_of_encoders():
    delimited = ["|".join(row) for row in draw_rows(7)]
    check_encoder(TagEmbeddingEncoder("tags", delimiter="|", dim=4), delimited)
