"""What all estimators of this package share: prediction, evaluation, files and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from os import PathLike
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from multimodal_ensemble._label_names import classes_for_caller
from multimodal_ensemble._open_table import split_labels
from multimodal_ensemble._tables import check_same_index, from_arrow, named_rows
from multimodal_ensemble._validation import check_sample_weight
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._artefact import load_artefact, save_artefact
from multimodal_ensemble.estimators._class_evaluation import (
    ClassEvaluation,
    evaluate_classes,
    warn_of_unknown,
)
from multimodal_ensemble.estimators._decisions import choose_classes, class_probabilities
from multimodal_ensemble.estimators._encoder_params import change_encoders, encoder_params
from multimodal_ensemble.estimators._evaluation import Evaluation, evaluate_scores
from multimodal_ensemble.estimators._explain import ExplainMixin
from multimodal_ensemble.estimators._export import export_fitted
from multimodal_ensemble.estimators._fitted import Fitted
from multimodal_ensemble.estimators._prediction import PredictionMixin
from multimodal_ensemble.estimators._read_table import read_large_table, read_table
from multimodal_ensemble.estimators._rows import check_same_length
from multimodal_ensemble.estimators._target_column import read_class_column, read_target_column
from multimodal_ensemble.metrics import apply_thresholds


class BaseMultimodalEstimator(PredictionMixin, ExplainMixin, ClassifierMixin, BaseEstimator):
    """Base class of classifiers over encoders: of labels, or of one class per row.

    A subclass has the parameters `encoders`, `label_delimiter`, `min_label_count`, `store` and
    `verbose`; `fit` ends with `_adopt`.
    """

    encoders: Any
    label_delimiter: str | None
    min_label_count: int
    store: Any
    verbose: int
    encoders_: list[Encoder]
    model_: keras.Model
    thresholds_: NDArray[np.float64]
    provenance_: dict[str, Any]

    # -- evaluation --------------------------------------------------------------------------

    def evaluate(self, X: Any, y: Any) -> Evaluation | ClassEvaluation:
        """Return the scores on rows that were not used in training.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.
        y : array-like or DataFrame of shape (n_samples, n_labels), or sequence of label lists
            True labels, or the true class of each row. Labels that no training row has are left
            out with a warning, and rows of such a class count as errors.

        Returns
        -------
        Evaluation or ClassEvaluation
            The scores; ``print`` shows them as a table. `ClassEvaluation` is that of one class per
            row.
        """
        target = self._target
        if target.is_single:
            table, codes = self._read_true_classes(X, y)
            y_score = self._predict_scores(table)
            shares = np.array([self.provenance_["label_shares"]])
            return evaluate_classes(
                codes,
                class_probabilities(y_score, target),
                choose_classes(y_score, self.thresholds_, target),
                classes=[str(label) for label in target.classes.tolist()],
                shares=class_probabilities(shares, target)[0],
            )
        table, y_true = self._read_truth(X, y, may_be_lazy=True)
        return evaluate_scores(
            y_true,
            self._predict_scores(table),
            self.thresholds_,
            labels=[str(label) for label in target.labels.tolist()],
            label_shares=self.provenance_["label_shares"],
        )

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, or the subset accuracy of labels, as scikit-learn's classifiers do.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.
        y : array-like or DataFrame of shape (n_samples, n_labels), or sequence of label lists
            True labels, or the true class of each row.
        sample_weight : array-like of shape (n_samples,), optional
            Weight of each row.

        Returns
        -------
        float
            Share of rows in which every label, or the class, is predicted correctly, 0..1. Unknown
            labels (NaN) are left out, and rows without a known one.
        """
        target = self._target
        if target.is_single:
            table, codes = self._read_true_classes(X, y, sample_weight)
            predicted = choose_classes(self._predict_scores(table), self.thresholds_, target)
            is_correct = predicted == codes
        else:
            table, y_true = self._read_truth(X, y, sample_weight, may_be_lazy=True)
            y_pred = apply_thresholds(self._predict_scores(table), self.thresholds_)
            # Unknown labels are NaN, which is not equal to itself.
            is_known = y_true == y_true
            is_correct = ((y_pred == y_true) | ~is_known).all(axis=1)
        sample_weight = from_arrow(sample_weight, name="sample_weight")
        weights = check_sample_weight(sample_weight, len(is_correct))
        if not target.is_single and not (used := is_known.any(axis=1)).all():
            is_correct, weights = is_correct[used], None if weights is None else weights[used]
        return float(np.average(is_correct, weights=weights))

    def _read_truth(
        self, X: Any, y: Any, sample_weight: Any = None, *, may_be_lazy: bool = False
    ) -> tuple[Any, NDArray[np.bool_]]:
        """Return X as a table, in files only if it `may_be_lazy`, and the true labels."""
        table, y = self._read_pair(X, y, sample_weight, may_be_lazy=may_be_lazy)
        y_true, _ = read_target_column(y, self._target, delimiter=self.label_delimiter)
        check_same_length(table, y_true)
        return table, y_true

    def _read_true_classes(
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> tuple[Any, NDArray[np.intp]]:
        """Return X as a table and the positions of the true classes, -1 for unknown ones."""
        table, y = self._read_pair(X, y, sample_weight, may_be_lazy=True)
        codes = read_class_column(y, self._target)
        check_same_length(table, codes)
        warn_of_unknown(codes)
        return table, codes

    def _read_pair(
        self, X: Any, y: Any, sample_weight: Any, *, may_be_lazy: bool
    ) -> tuple[Any, Any]:
        check_is_fitted(self)
        X, y = split_labels(X, y)
        read = read_large_table if may_be_lazy else read_table
        table = read(self, X, reset=False)
        check_same_index(X=named_rows(X, table), y=y, sample_weight=sample_weight)
        return table, y

    @property
    def classes_(self) -> Any:
        """The labels, or the classes of which each row has one."""
        check_is_fitted(self, "_classes")
        return self._classes if self._target.is_single else classes_for_caller(self._classes)

    @classes_.setter
    def classes_(self, labels: NDArray[Any]) -> None:
        self._classes = labels

    # -- the fitted value --------------------------------------------------------------------

    def _adopt(self, fitted: Fitted) -> Self:
        """Set all fitted attributes; nothing else sets them."""
        for field in fields(fitted):
            if (value := getattr(fitted, field.name)) is not None:
                setattr(self, f"{field.name}_", value)
            else:
                # An earlier X had named columns, and this one has none.
                self.__dict__.pop(f"{field.name}_", None)
        return self

    def _fitted(self) -> Fitted:
        """Return the fitted attributes as one value."""
        check_is_fitted(self)
        values: dict[str, Any] = {
            field.name: getattr(self, f"{field.name}_", None) for field in fields(Fitted)
        }
        return Fitted(**values)

    # -- files -------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str], *, include_backbones: bool = True) -> None:
        """Write everything that prediction needs to one file.

        Parameters
        ----------
        path : path
            The file; an existing one is replaced once the new one is complete.
        include_backbones : bool, default=True
            Whether the file holds frozen weights that are known by name (of a network or preset,
            or a weights file). Otherwise, `load` finds them again and compares their hash.

        Raises
        ------
        OSError
            If the file cannot be written. An existing file is unchanged.
        TypeError
            If an encoder holds a value that cannot be saved; the message says where.
        """
        fitted = self._fitted()
        params = self.get_params(deep=False)
        save_artefact(
            path, params, fitted, kind=type(self).__name__, include_backbones=include_backbones
        )

    @classmethod
    def load(
        cls, path: str | PathLike[str], *, weights: Mapping[str, str | PathLike[str]] | None = None
    ) -> Self:
        """Read an estimator that `save` wrote, without running code from the file.

        Import the packages of other encoders and layers first.

        Parameters
        ----------
        path : path
            The file.
        weights : mapping of str to path, optional
            Weights files on this machine of backbones that the file does not hold, by modality.

        Returns
        -------
        BaseMultimodalEstimator
            The same estimator, with identical predictions on the same machine and libraries,
            whatever the current dtype policy of Keras is. It has no store: see the notes.

        Raises
        ------
        ArtefactError
            If the file is damaged, could run code, or was written by a newer version, or if a
            backbone has other weights or an encoder's class has changed since.
        FileNotFoundError
            If there is no such file.
        OSError
            If it is not a regular file, for example a named pipe.

        Notes
        -----
        With a `FeatureStore` of ``dtype="float16"``, the default, scores come from features that
        are rounded to 11 bits, and differ by about 1e-3 from scores without a store. The loaded
        estimator predicts what the saved one does after ``set_params(store=None)``, and with the
        same store what the saved one predicts with it.
        """
        known = cls._get_param_names()
        params, fitted = load_artefact(
            path, kind=cls.__name__, known_params=known, weights=weights or {}
        )
        return cls(**cls._fitted_params(fitted), **params)._adopt(fitted)

    @classmethod
    def _fitted_params(cls, fitted: Fitted) -> dict[str, Any]:
        """Return the parameters of a loaded estimator that the file holds as fitted values."""
        return {"encoders": [*fitted.encoders]}

    def export(self, path: str | PathLike[str], *, format: str) -> None:
        """Write the model for other programs, from RGB pixels and multi-hot rows to scores.

        ``<path>.json`` lists the labels, the thresholds and the meaning of each input, and
        ``preprocess.py`` beside it makes inputs from raw values with NumPy and Pillow alone.

        Parameters
        ----------
        path : path
            A file, or a folder for ``"tf_saved_model"``.
        format : {"tf_saved_model", "litert", "onnx"}
            ONNX needs the extra ``multimodal-ensemble[export]``.

        Raises
        ------
        ValueError
            If there is no such format.
        ImportError
            If the format needs a package that is not installed.
        """
        export_fitted(self._fitted(), path, format=format)

    # -- scikit-learn ------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, and with `deep` also the encoders and their parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether encoders are included, as ``tags``, ``tags__max_tokens`` and so on, unless one
            has the name of a parameter.

        Returns
        -------
        dict of str to object
            Values by name of parameter.
        """
        own: dict[str, Any] = super().get_params(deep=False)
        return {**encoder_params(self.encoders, own), **own} if deep else own

    def set_params(self, **params: Any) -> Self:
        """Change parameters, whole encoders by name, or parameters of encoders.

        Encoders that are shared with another estimator stay as they are: a changed one is a copy.

        Parameters
        ----------
        **params
            For example ``threshold="f1"``, ``tags=BagOfWordsEncoder("tags")``,
            ``tags__max_tokens=2000`` or ``poster__head__dropout=0.5``.

        Returns
        -------
        BaseMultimodalEstimator
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no such parameter; the message lists the valid ones.
        """
        known = self._get_param_names()
        own = {key: value for key, value in params.items() if key in known}
        if nested := {key: value for key, value in params.items() if key not in own}:
            own["encoders"] = change_encoders(own.get("encoders", self.encoders), nested, known)
        super().set_params(**own)
        return self

    def __sklearn_tags__(self) -> Any:
        """Declare multilabel targets, and one class per row."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        tags.input_tags.string = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether a fitted value was adopted."""
        return hasattr(self, "thresholds_")
