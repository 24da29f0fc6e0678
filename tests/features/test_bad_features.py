"""Features that a backbone must not return."""

import numpy as np
import pytest

from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.saving import write_archive


def test_features_that_are_not_finite_are_refused(make_network, make_encoder, posters, store):
    encoder = make_encoder(network=make_network(activation=None))
    kernel = encoder.get_backbone().weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    match = r"backbone of 'poster' returns features that are not finite, first in row 0"
    with pytest.raises(ModalityError, match=match):
        store.get_features(encoder, posters, verbose=0)
    assert store.count_uncomputed(encoder, posters) == len(posters)


@pytest.mark.parametrize(
    ("features", "exponents", "match"),
    [
        (
            np.ones((1, 5), "f2"),
            np.zeros(300_000, "i2"),
            "exponents are an array of int16 of the shape (300000,)",
        ),
        (
            np.ones((3, 5), "f2"),
            np.zeros(1, "i2"),
            "exponents are an array of int16 of the shape (1,)",
        ),
        (np.ones((3, 5), "f2"), np.zeros(3), "exponents are an array of float64"),
        (np.ones((3, 5)), np.zeros(3, "i2"), "they are an array of float64"),
    ],
)
def test_a_shard_of_other_shapes_is_damaged(features, exponents, match, store):
    digests = np.zeros((len(features), 32), np.uint8)
    document = {"format": "multimodal_ensemble features", "format_version": 1}
    path = store.folder / ("0" * 64) / f"{0:032x}.shard"
    path.parent.mkdir()
    arrays = {"digests": digests, "features": features, "exponents": exponents}
    write_archive(path, document, arrays)
    assert match in store.verify()[path]
