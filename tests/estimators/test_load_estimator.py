"""A saved estimator of either class."""

import pytest

from multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.estimators import load_estimator
from multimodal_ensemble.estimators._saved_format import FORMAT, VERSION
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving import write_archive


def test_either_class_is_loaded(small, table, tmp_path):
    ensemble = MultimodalEnsemble(verbose=0).fit({"x": [1.0, 2, 3, 4]}, [["a"], [], ["a"], []])
    for estimator, rows in ((small, table), (ensemble, {"x": [1.5]})):
        estimator.save(tmp_path / "model.mme")
        loaded = load_estimator(tmp_path / "model.mme")
        assert type(loaded) is type(estimator)
        assert (loaded.predict_proba(rows) == estimator.predict_proba(rows)).all()


@pytest.mark.parametrize("kind", ["Forest", None, ["MultimodalEnsemble"]])
def test_another_class_is_refused(kind, tmp_path):
    path = tmp_path / "model.mme"
    document = {"format": FORMAT, "format_version": VERSION, "estimator": kind}
    write_archive(path, document, {})
    with pytest.raises(ArtefactError, match="not one of"):
        load_estimator(path)


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_estimator(tmp_path / "absent.mme")
