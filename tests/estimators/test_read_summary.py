"""The summary of a saved estimator, which is read without its networks."""

import numpy as np
import pytest

from multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.estimators import load_estimator, read_summary
from multimodal_ensemble.exceptions import ArtefactError
from tests.estimators.test_artefact import drop, put, rewrite


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("summary") / "model.mme"
    X, y = {"x": [1.0, 2, 3, 4, 5, 6]}, ["a", "b", "c"] * 2
    MultimodalEnsemble(verbose=0).fit(X, y).save(path)
    return path


def test_it_has_what_the_loaded_estimator_has(path):
    summary, loaded = read_summary(path), load_estimator(path)
    assert summary.kind == "MultimodalEnsemble"
    assert summary.target_type_ == loaded.target_type_ == "multiclass"
    assert summary.classes_.tolist() == loaded.classes_.tolist()
    np.testing.assert_array_equal(summary.thresholds_, loaded.thresholds_)
    assert summary.provenance_ == loaded.provenance_
    (found,), (encoder,) = summary.encoders_, loaded.encoders_
    assert (found.name, found.kind) == (encoder.name, type(encoder).__name__)
    assert (found.columns, found.optional) == (encoder.columns, encoder.optional)
    assert found.backbone is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("target_type", "regression"), r"changed.mme' must be one of .* Received 'regr"),
        (put("thresholds", [0.5]), "1 threshold for 3 labels"),
        (put("thresholds", ["x", "y", "z"]), "its parts do not fit together"),
        (put("provenance", 7), "its parts do not fit together"),
        (drop("encoders"), "its parts do not fit together"),
    ],
)
def test_parts_that_do_not_fit_are_refused(path, tmp_path, change, message):
    changed = rewrite(path, tmp_path / "changed.mme", change)
    with pytest.raises(ArtefactError, match=message):
        read_summary(changed)
