"""Features that a backbone must not return."""

import numpy as np
import pytest

from multimodal_ensemble.exceptions import ModalityError


def test_features_that_are_not_finite_are_refused(make_network, make_encoder, posters, store):
    encoder = make_encoder(network=make_network(activation=None))
    kernel = encoder.get_backbone().weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    match = r"backbone of 'poster' returns features that are not finite, first in row 0"
    with pytest.raises(ModalityError, match=match):
        store.get_features(encoder, posters, verbose=0)
    assert store.count_uncomputed(encoder, posters) == len(posters)
