"""Ridge regression in closed form, against scikit-learn and against fitting without each row."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

import multimodal_ensemble.linear._decomposition as decomposition
import multimodal_ensemble.linear._ridge as ridge
from multimodal_ensemble.linear import Block, fit_ridge
from multimodal_ensemble.linear._decomposition import decompose
from multimodal_ensemble.linear._joined_blocks import JoinedBlocks
from multimodal_ensemble.linear._leave_one_out import leave_one_out


def make_rows(n_rows, n_features, *, sparse=False, seed=0):
    generator = np.random.default_rng(seed)
    rows = generator.normal(2, 3, size=(n_rows, n_features)).astype("float32")
    return sp.csr_matrix(np.where(rows > 4, rows, 0)) if sparse else rows


def make_labels(n_rows, n_labels=3, seed=1):
    y = np.random.default_rng(seed).random((n_rows, n_labels)) < 0.4
    y[:2] = [[True] * n_labels, [False] * n_labels]
    return y


def test_rows_that_lack_a_modality_are_rows_of_zeros():
    X = make_rows(30, 6)
    present = np.arange(30) % 3 > 0
    X[~present] = 0
    for matrix in (X, sp.csr_matrix(X)):
        block = Block.fit(matrix, standardize=True, present=present)
        alone = Block.fit(X[present], standardize=True)
        expected = np.zeros(X.shape)
        expected[present] = alone.rows(slice(None))
        np.testing.assert_allclose(block.rows(slice(None)), expected, atol=1e-6)
        rows = JoinedBlocks([block], np.ones(30))
        np.testing.assert_allclose(rows.outer(), expected @ expected.T, atol=1e-6)
        right, left = make_rows(6, 2), make_rows(30, 2)
        np.testing.assert_allclose(rows.dot(right), expected @ right, atol=1e-4)
        np.testing.assert_allclose(rows.transposed_dot(left), expected.T @ left, atol=1e-4)


def dense(blocks):
    return np.hstack([block.rows(slice(None)) for block in blocks])


def scores_without(X, y, groups, penalty, weight):
    """Fit again without each group, with an intercept that the scores leave out."""
    scores = np.zeros(y.shape)
    for group in np.unique(groups):
        kept = groups != group
        model = Ridge(alpha=penalty, tol=1e-12, solver="cholesky")
        model.fit(X[kept], y[kept], sample_weight=weight[kept])
        scores[~kept] = X[~kept] @ model.coef_.T
    return scores


KINDS = {
    "more rows": [(40, 5, False)],
    "more features": [(12, 40, False)],
    "sparse": [(40, 8, True)],
    "sparse, more features": [(12, 50, True)],
    "joined": [(30, 4, False), (30, 60, True)],
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def blocks(request):
    weight = np.random.default_rng(3).uniform(0.5, 2, request.param[0][0])
    return [
        Block.fit(
            make_rows(n, d, sparse=sparse, seed=d), standardize=not sparse, sample_weight=weight
        )
        for n, d, sparse in request.param
    ]


@pytest.mark.parametrize("penalty", [0.02, 5.0])
def test_coefficients_and_scores_are_those_of_refitted_ridge_regressions(blocks, penalty):
    X = dense(blocks)
    n_rows = len(X)
    y, groups = make_labels(n_rows), np.arange(n_rows)
    weight = np.random.default_rng(3).uniform(0.5, 2, n_rows)
    weight /= weight.mean()
    fit = fit_ridge(blocks, y, sample_weight=weight, penalties=[penalty])
    alpha = penalty * n_rows / 100
    reference = Ridge(alpha=alpha, fit_intercept=False, solver="cholesky", tol=1e-12)
    reference.fit(X, y - np.average(y, axis=0, weights=weight), sample_weight=weight)
    np.testing.assert_allclose(np.vstack(fit.coefficients), reference.coef_.T, atol=1e-8)
    np.testing.assert_allclose(fit.scores, scores_without(X, y, groups, alpha, weight), atol=1e-7)


def test_rows_of_a_group_are_left_out_together(blocks):
    X = dense(blocks)
    y = make_labels(len(X))
    groups = np.random.default_rng(0).integers(0, 6, len(X))
    weight = np.random.default_rng(3).uniform(0.5, 2, len(X))
    weight /= weight.mean()
    fit = fit_ridge(blocks, y, groups=groups, penalties=[3.0], sample_weight=weight)
    expected = scores_without(X, y, groups, 3.0 * len(X) / 100, weight)
    np.testing.assert_allclose(fit.scores, expected, atol=1e-7)


def test_each_label_has_the_penalty_of_the_best_scores():
    X = make_rows(60, 30)
    y = make_labels(60, n_labels=4) & (np.arange(4) != 3)
    y[:, 0] |= X[:, 0] > 3
    y[3:7, 3] = True
    blocks = [Block.fit(X, standardize=True)]
    candidates = (0.01, 1.0, 100.0)
    chosen = fit_ridge(blocks, y, penalties=candidates)
    each = [fit_ridge(blocks, y, penalties=[penalty]) for penalty in candidates]
    # Those of rare labels are drawn towards the mean.
    roc_auc = np.array([roc_auc_score(y, fit.scores, average=None) for fit in each])
    trust = np.minimum(y.sum(axis=0), (~y).sum(axis=0))
    trust = trust / (trust + 30)
    quality = trust * roc_auc + (1 - trust) * roc_auc.mean(axis=1, keepdims=True)
    for label in range(4):
        best = len(candidates) - 1 - int(np.argmax(quality[::-1, label]))
        assert chosen.penalties[label] == candidates[best]
        np.testing.assert_allclose(chosen.scores[:, label], each[best].scores[:, label], atol=1e-12)
        np.testing.assert_allclose(
            chosen.coefficients[0][:, label], each[best].coefficients[0][:, label], atol=1e-12
        )


@pytest.mark.parametrize("value", [True, False])
def test_a_label_of_one_class_has_constant_scores(value):
    y = make_labels(20)
    y[:, 1] = value
    fit = fit_ridge([Block.fit(make_rows(20, 3), standardize=True)], y)
    assert (fit.scores[:, 1] == 0).all()
    assert (fit.coefficients[0][:, 1] == 0).all()


def test_constant_features_have_no_coefficient():
    X = np.hstack([make_rows(20, 2), np.full((20, 1), 7.3), np.zeros((20, 1))])
    fit = fit_ridge([Block.fit(X, standardize=True)], make_labels(20))
    assert (fit.coefficients[0][2:] == 0).all()
    only_constant = fit_ridge([Block.fit(X[:, 2:], standardize=True)], make_labels(20))
    assert (only_constant.scores == 0).all()


@pytest.mark.parametrize("max_inner_products", [10, 100])
@pytest.mark.parametrize("n_rows", [80, 160])
def test_leading_directions_agree_where_few_matter(monkeypatch, n_rows, max_inner_products):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(n_rows, 6)) @ generator.normal(size=(6, 45))
    X += 1e-6 * generator.normal(size=X.shape)
    y = make_labels(n_rows)
    blocks = [Block.fit(X, standardize=True), Block.fit(sp.csr_matrix(X), standardize=False)]
    exact = fit_ridge(blocks, y)
    monkeypatch.setattr(decomposition, "MAX_EXACT", 20)
    monkeypatch.setattr(decomposition, "_TRUNCATED", 15)
    monkeypatch.setattr(decomposition, "_MAX_INNER_PRODUCTS", max_inner_products)
    truncated = fit_ridge(blocks, y)
    assert exact.is_exact
    assert not truncated.is_exact
    np.testing.assert_allclose(truncated.scores, exact.scores, atol=1e-4)
    X = dense(blocks)
    np.testing.assert_allclose(
        X @ np.vstack(truncated.coefficients), X @ np.vstack(exact.coefficients), atol=1e-4
    )


def test_many_rows_are_multiplied_in_single_precision_and_keep_all_directions(monkeypatch):
    y, weight = make_labels(500), np.random.default_rng(3).uniform(0.5, 2, 500)
    blocks = [
        Block.fit(make_rows(500, 30), standardize=True, sample_weight=weight),
        Block.fit(make_rows(500, 20, sparse=True), standardize=False, sample_weight=weight),
    ]
    exact = fit_ridge(blocks, y, sample_weight=weight)
    monkeypatch.setattr(decomposition, "_MAX_BYTES", 8 * 500 * 50 - 1)
    monkeypatch.setattr("multimodal_ensemble.linear._row_parts._NUMBERS_PER_CHUNK", 3000)
    assert decompose(JoinedBlocks(blocks, np.ones(500)), np.ones((500, 1))).dtype == np.float32
    single = fit_ridge(blocks, y, sample_weight=weight)
    assert single.is_exact
    assert np.abs(single.scores - exact.scores).max() > 0
    np.testing.assert_allclose(single.scores, exact.scores, atol=1e-5)
    for one, other in zip(single.coefficients, exact.coefficients, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_all_labels_share_one_decomposition(monkeypatch):
    calls = []
    monkeypatch.setattr(ridge, "decompose", lambda *a, **k: calls.append(1) or decompose(*a, **k))
    y = make_labels(30, n_labels=200)
    fit = fit_ridge([Block.fit(make_rows(30, 3), standardize=True)], y)
    assert len(calls) == 1
    assert fit.scores.shape == (30, 200)


def test_blocks_have_mean_0_and_mean_squared_norm_1(blocks):
    weight = np.random.default_rng(3).uniform(0.5, 2, blocks[0].matrix.shape[0])
    for block in blocks:
        rows = block.rows(slice(None))
        np.testing.assert_allclose(np.average(rows, axis=0, weights=weight), 0, atol=1e-6)
        assert np.average((rows**2).sum(axis=1), weights=weight) == pytest.approx(1)


def test_products_are_those_of_the_dense_rows(blocks, monkeypatch):
    monkeypatch.setattr("multimodal_ensemble.linear._row_parts._NUMBERS_PER_CHUNK", 50)
    root = np.random.default_rng(0).uniform(0.5, 2, blocks[0].matrix.shape[0])
    X = dense(blocks) * root[:, None]
    rows = JoinedBlocks(blocks, root)
    right, left = make_rows(X.shape[1], 2), make_rows(X.shape[0], 2)
    assert rows.shape == X.shape
    gram, along = rows.inner_products(left)
    for product, expected in (
        (gram, X.T @ X),
        (along, X.T @ left),
        (rows.squared_dot(right), X.T @ (X @ right)),
        (rows.outer(), X @ X.T),
        (rows.dot(right), X @ right),
        (rows.transposed_dot(left), X.T @ left),
    ):
        np.testing.assert_allclose(product, expected, rtol=1e-5, atol=1e-5)


def test_scores_of_features_that_say_nothing_do_not_know_the_labels():
    # Each row has a feature of its own. The centre of all rows would tell its label.
    y = make_labels(40)
    fit = fit_ridge([Block.fit(np.eye(40), standardize=False)], y)
    assert (fit.scores == 0).all()


def test_all_rows_in_one_group_have_no_score():
    X, y = make_rows(20, 3), make_labels(20)
    fit = fit_ridge([Block.fit(X, standardize=True)], y, groups=np.zeros(20, dtype=int))
    assert (fit.scores == 0).all()


def test_scores_without_a_group_are_exact_for_a_small_penalty():
    X, y = make_rows(20, 30), make_labels(20)
    groups = np.repeat(np.arange(4), 5)
    fit = fit_ridge([Block.fit(X, standardize=True)], y, groups=groups, penalties=[1e-6])
    rows = Block.fit(X, standardize=True).rows(slice(None))
    for group in range(4):
        others = groups != group
        ridge = Ridge(alpha=1e-6 * 20 / 100).fit(rows[others], y[others])
        expected = rows[~others] @ ridge.coef_.T
        np.testing.assert_allclose(fit.scores[~others], expected, atol=1e-6)


def test_the_spread_of_sparse_features_does_not_suffer_from_single_precision():
    X = np.array([[1000.1], [1000.2], [1000.3]], dtype=np.float32)
    sparse = Block.fit(sp.csr_matrix(X), standardize=True)
    np.testing.assert_allclose(sparse.factor, Block.fit(X, standardize=True).factor, rtol=1e-6)


def test_a_row_that_alone_determines_its_value_has_the_mean_without_it():
    target = np.array([[1.0], [2.0], [3.0]])
    [scores] = leave_one_out(np.eye(3), np.ones((1, 3)), target, target, np.ones(3), 3.0)
    assert np.isfinite(scores).all()
