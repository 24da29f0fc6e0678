"""Rows of different lengths in front of a frozen network that takes none of length 1."""

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    Encoder,
    MultimodalClassifier,
    MultimodalDataset,
    MultimodalEnsemble,
    fit_encoders,
    fit_model,
    fuse_encoders,
    predict_scores,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.fusion import feature_model
from multimodal_ensemble.testing import check_encoder

WIDTH = 4
RNG = np.random.default_rng(1)
N_ROWS = 24
Y = np.stack([np.arange(N_ROWS) % 2, np.arange(N_ROWS) // 2 % 2], axis=1)
STRANDS = [list(RNG.normal(2 * high, 1, RNG.integers(1, 9))) for high in Y[:, 0]]
DATA = pd.DataFrame({"tags": [["a"] if row[1] else ["b"] for row in Y]})
DATA["strand"] = [None if row % 5 == 2 else strand for row, strand in enumerate(STRANDS)]


@keras.saving.register_keras_serializable(package="test_variable_lengths")
class StrandEncoder(Encoder):
    """Numbers in front of filters without padding, which need `WIDTH` steps."""

    input_shape = (None, 2)
    part_kind = "token"

    def lengths(self, values):
        return np.array([len(strand) for strand in values])

    def prepare(self, values):
        # Nothing can be stacked from no values.
        assert len(values)
        return super().prepare(values)

    def encode(self, values):
        longest = max(WIDTH, *(len(strand) for strand in values), 0)
        rows = np.zeros((len(values), longest, 2), dtype="float32")
        for strand, row in zip(values, rows, strict=True):
            row[: len(strand), 0] = strand
            row[: len(strand), 1] = 1
        return rows

    def get_backbone(self):
        if not hasattr(self, "_network"):
            inputs = keras.Input(self.input_shape)
            filters = keras.layers.Conv1D(5, WIDTH, activation="relu")
            outputs = keras.layers.GlobalMaxPooling1D()(filters(inputs))
            self._network = keras.Model(inputs, outputs, name="filters")
            self._network.trainable = False
            # A window that is not wholly inside the strand has 0.
            kernel = np.random.default_rng(1).normal(size=(WIDTH, 2, 5))
            kernel[:, 1] = 20
            filters.set_weights([kernel, np.full(5, -20.0 * WIDTH)])
        return self._network

    def without_each_part(self, value):
        """Return the halves of a strand; one of a single step has no parts, and a short one none.

        The two ways of saying so are both allowed.
        """
        if len(value) == 1:
            return None
        if len(value) == 2:
            return [], []
        middle = len(value) // 2
        return np.array(["first", "second"]), [value[middle:], value[:middle]]


def make_encoders():
    strand = StrandEncoder("strand", optional=True, head=DenseHead(2))
    return [strand, BagOfWordsEncoder("tags", head=DenseHead(1))]


@pytest.fixture(scope="module", params=["classifier", "ensemble"])
def estimator(request):
    options = {"random_state": 1, "verbose": 0}
    if request.param == "ensemble":
        return MultimodalEnsemble(make_encoders(), **options).fit(DATA, Y)
    return MultimodalClassifier(make_encoders(), epochs=1, **options).fit(DATA, Y)


@pytest.mark.parametrize("has_store", [False, True])
def test_a_table_without_any_value_is_predicted_like_single_rows(estimator, has_store, tmp_path):
    missing = DATA.drop(columns="strand")
    wanted = estimator.predict_proba(DATA)[[2, 7]]
    estimator.set_params(store=tmp_path / "store" if has_store else None)
    try:
        received = estimator.predict_proba(missing)
        np.testing.assert_allclose(received[[2, 7]], wanted, rtol=1e-4)
        explanation = estimator.explain(missing[:3])
        is_missing = explanation.modalities.groupby("modality")["is_missing"].all()
        assert is_missing.to_dict() == {"strand": True, "tags": False}
    finally:
        estimator.set_params(store=None)


def test_a_loaded_model_predicts_a_table_without_any_value(estimator, tmp_path):
    missing = DATA.assign(strand=None)
    estimator.save(tmp_path / "model.mme")
    loaded = type(estimator).load(tmp_path / "model.mme")
    np.testing.assert_array_equal(loaded.predict_proba(missing), estimator.predict_proba(missing))


def test_a_value_without_parts_leaves_those_of_other_rows(estimator):
    rows = {"strand": [[1.0], [1.0, 2.0], [1.0, 2.0, 3.0], None], "tags": [["a"]] * 4}
    tokens = estimator.explain(rows, background=DATA).tokens
    strands = tokens[tokens["modality"] == "strand"].drop_duplicates(["row", "token"])
    named = strands.groupby("row")["token"].apply(list).to_dict()
    assert list(named) == [1, 2]
    assert named[2][:2] == ["first", "second"]
    assert len(named[1]) == 1


def test_validation_rows_may_lack_the_modality_without_a_store(monkeypatch):
    encoders = fit_encoders(make_encoders(), DATA)
    model = fuse_encoders(encoders, 2, seed=1)
    train = MultimodalDataset(DATA, encoders, Y, shuffle=True, batch_size=8)
    validation = MultimodalDataset(DATA.assign(strand=None), encoders, Y)
    assert list(validation.features) == ["strand"]
    cut = []
    module = "multimodal_ensemble.training._predict_scores.feature_model"
    monkeypatch.setattr(module, lambda *args: cut.append(args) or feature_model(*args))
    result = fit_model(model, train, validation, epochs=1, evaluate_every=1, verbose=0)
    assert np.isfinite(result.history["mean_roc_auc"]).sum() == 3
    # Each part of a model would have a graph of its own.
    assert len(cut) == 1
    assert predict_scores(model, validation).shape == (N_ROWS, 2)


def test_the_contract_holds():
    check_encoder(StrandEncoder("strand", optional=True), [*STRANDS[:5], None])


def test_trained_layers_must_take_a_single_step():
    class Trained(StrandEncoder):
        def get_backbone(self):
            network = super().get_backbone()
            network.trainable = True
            return network

    keras.saving.register_keras_serializable(package="test_variable_lengths")(Trained)
    match = "predicts rows that all lack the modality, whose lengths are 1 for the head"
    with pytest.raises(AssertionError, match=match):
        check_encoder(Trained("strand", optional=True), STRANDS[:4])
