"""A tiny image encoder."""

import pytest

from multimodal_ensemble.encoders import DenseHead
from tests import toys


@pytest.fixture
def make_poster():
    """Return a function that makes an encoder of posters with equal weights in each call."""

    def make(**options):
        network = toys.make_network(activation=None)
        return toys.make_poster(network=network, **{"head": DenseHead(3, dropout=0), **options})

    return make
