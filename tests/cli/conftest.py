"""Invented products, and one model of them that all tests share."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from multimodal_ensemble import MultimodalEnsemble
from tests.cli.running import SMALL_IMAGES, Result, run
from tests.products import write_products
from tests.toys import use_shallow_network

COLUMNS = (
    *("--image", "photo", "--tags", "keywords", "--text", "description"),
    *("--numbers", "price", "year", "discount", "--categories", "material"),
)


@dataclass(frozen=True)
class Trained:
    """A model, what the command printed, and the numbers of the rows that it used."""

    path: Path
    result: Result
    fitted_rows: list
    scored_rows: list


@pytest.fixture(scope="package", autouse=True)
def _shallow_network():
    with pytest.MonkeyPatch.context() as patch:
        use_shallow_network(patch, "MobileNet")
        yield


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("products")
    write_products(folder)
    return folder


@pytest.fixture(scope="package")
def products(folder):
    return folder / "products.csv"


@pytest.fixture(scope="package")
def trained(folder, products):
    # The commands of the documentation write another model.mme.
    path = folder / "trained.mme"
    fitted, scored = [], []
    fit, predict_proba = MultimodalEnsemble.fit, MultimodalEnsemble.predict_proba

    def spy_fit(self, X, y):
        fitted.extend(X.index)
        return fit(self, X, y)

    def spy_predict(self, X):
        scored.extend(X.index)
        return predict_proba(self, X)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MultimodalEnsemble, "fit", spy_fit)
        patch.setattr(MultimodalEnsemble, "predict_proba", spy_predict)
        result = run(
            *("train", products, "--labels", "labels", "--id", "sku", "--out", path),
            *("--test-size", "0.25", "--min-label-count", "2"),
            *COLUMNS,
            *SMALL_IMAGES,
        )
    return Trained(path, result, fitted, scored)


@pytest.fixture(scope="package")
def plain(folder, products):
    """Return the path of a model without images, which loads and predicts quickly."""
    path = folder / "plain.mme"
    columns = ("--tags", "keywords", "--numbers", "price", "year", "discount")
    options = ("--labels", "labels", "--min-label-count", "2", "--id", "sku", "--out", path)
    result = run("train", products, *options, *columns)
    assert result.status == 0, result.err
    return path
