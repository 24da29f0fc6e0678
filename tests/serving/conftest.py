"""A server in this process, with one small model."""

import base64
import contextlib
import warnings

import numpy as np
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    CategoryEncoder,
    DenseEncoder,
    MultimodalEnsemble,
)
from multimodal_ensemble.serving import make_app
from tests.toys import draw_labels, draw_table, encode_image, make_poster


def as_base64(content):
    return base64.b64encode(content).decode()


def as_uri(content, kind="png"):
    return f"data:image/{kind};base64,{as_base64(content)}"


@contextlib.contextmanager
def open_client(app):
    """Return a client of an application in this process."""
    with warnings.catch_warnings():
        # Of HTTPX, which old versions of Starlette use, and of Starlette, if it does.
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient
    with TestClient(app, base_url="http://testserver") as client:
        yield client


@pytest.fixture(scope="package")
def table():
    table = draw_table()
    return table.assign(country=["fr", "us"] * (len(table) // 2))


@pytest.fixture(scope="package")
def model(table):
    """Return an ensemble of an optional image, optional tags, numbers and a category."""
    encoders = [
        make_poster(optional=True, on_error="missing"),
        BagOfWordsEncoder("tags", optional=True),
        DenseEncoder("numbers", column=["year", "minutes"]),
        CategoryEncoder("country"),
    ]
    thresholds = {"Drama": 0.5, "War": np.inf, "Western": -np.inf}
    ensemble = MultimodalEnsemble(encoders, threshold=thresholds, random_state=1, verbose=0)
    return ensemble.fit(table, draw_labels())


@pytest.fixture(scope="package")
def client(model):
    with open_client(make_app(model)) as client:
        yield client


@pytest.fixture(scope="package")
def row(table):
    """Return a complete row of a request."""
    return {
        "poster": as_uri(encode_image(table["poster"][0])),
        "tags": ["space", "war"],
        "year": 1980,
        "minutes": 101.5,
        "country": "fr",
    }
