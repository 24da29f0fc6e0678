"""Radial features against the kernel that they represent."""

import numpy as np

from multimodal_ensemble.linear import RadialFeatures


def test_inner_products_are_the_kernel_of_the_centres():
    rows = np.random.default_rng(0).normal(size=(60, 3))
    radial = RadialFeatures.fit(rows)
    features = radial(rows)
    squared = ((rows[:, None] - rows) ** 2).sum(axis=2)
    np.testing.assert_allclose(features @ features.T, np.exp(-squared / radial.width), atol=1e-2)
    assert radial.width == np.median(squared[squared > 0])


def test_repeated_and_constant_rows_are_one_centre():
    radial = RadialFeatures.fit(np.ones((5, 2)))
    assert radial.centres.tolist() == [[1, 1]]
    assert np.isfinite(radial(np.zeros((2, 2)))).all()


def test_many_rows_have_at_most_500_centres_chosen_by_the_seed():
    rows = np.random.default_rng(0).normal(size=(700, 2))
    first, same, other = (RadialFeatures.fit(rows, seed=seed) for seed in (1, 1, 2))
    assert first.centres.shape == (500, 2)
    np.testing.assert_array_equal(first.centres, same.centres)
    assert not np.array_equal(first.centres, other.centres)
