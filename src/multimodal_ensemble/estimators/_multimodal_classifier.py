"""The whole library in one estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from multimodal_ensemble._tables import check_same_index
from multimodal_ensemble._validation import (
    check_at_least,
    check_choice,
    check_fraction,
)
from multimodal_ensemble.encoders import Encoder, fit_encoders, infer_encoders
from multimodal_ensemble.encoders._fit_encoders import check_encoders
from multimodal_ensemble.estimators._artefact import load_classifier, save_classifier
from multimodal_ensemble.estimators._evaluation import Evaluation, evaluate_scores
from multimodal_ensemble.estimators._export import export_classifier
from multimodal_ensemble.estimators._labels import label_tuples, read_labels
from multimodal_ensemble.estimators._refit import keep_heads, refit_encoders
from multimodal_ensemble.estimators._rows import Rows, TrainingRows, hold_out
from multimodal_ensemble.estimators._table import label_columns, read_table, warn_of_leakage
from multimodal_ensemble.estimators._thresholds import check_threshold
from multimodal_ensemble.estimators._training import Trained, open_store, train_model
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.features import FeatureStore
from multimodal_ensemble.fusion import fuse_encoders
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.metrics import apply_thresholds
from multimodal_ensemble.training import predict_scores
from multimodal_ensemble.training import read_checkpoint_metadata

_SEEDS = 2**31 - 1


class MultimodalClassifier(ClassifierMixin, BaseEstimator):
    """Predict labels from several kinds of input: one call to train, one file to keep.

    Fits the encoders to the training rows, computes the features of frozen backbones once, trains
    the fusion of all heads, keeps the weights that do best on validation rows, and learns on these
    one decision threshold a label, which `predict` applies. A scikit-learn estimator for multilabel
    targets; nothing that it does cannot be done with the library's parts one by one.

    Parameters
    ----------
    encoders : sequence of Encoder or "auto", default="auto"
        One encoder a modality; they are cloned, and the clones fitted. ``"auto"`` looks at the
        columns, prints what it chose and why; see `infer_encoders`.
    threshold : str, callable, float, array-like, mapping or None, default="accuracy"
        What thresholds maximise on validation rows (see `tune_thresholds`); or the threshold of all
        labels, or those of each label, as an array or by label. None is 0.5.
    label_weight : "balanced", mapping, array-like of shape (n_labels,) or None, default=None
        Weights of labels in the loss, for rare labels; see `fit_model`.
    dropout : float, default=0
        Dropout rate on the concatenated embeddings, in [0, 1).
    modality_dropout : float, default=0
        Rate at which a whole modality is left out of a row in training, in [0, 1), never all of
        them; see `fuse_encoders`. Trains what stands in for missing modalities.
    epochs : int, default=100
        Passes over the training rows at most.
    batch_size : int, default=32
        Rows a batch.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        As `keras.Model.compile` takes it; an instance is copied for each training.
    loss : str, keras.losses.Loss or callable, default="binary_crossentropy"
        As `keras.Model.compile` takes it.
    evaluate_every : int, optional
        Batches between two scorings of the validation rows; see `fit_model`.
    patience : int or None, default=10
        Stop after so many scorings in a row without a better one; None never stops early.
    validation_fraction : float or None, default=0.1
        Share of the training rows that are held out for validation where `fit` is given none, so
        that each label has its share. None takes the training rows themselves: thresholds are
        then too good to be true, which a warning says.
    store : FeatureStore, path or None, default=None
        Where features of frozen backbones are kept for the next training. None keeps them only
        while one training lasts.
    warm_start : bool, default=False
        Whether `fit` goes on from the last one: with the same fitted encoders and model, whatever
        `encoders`, `dropout` and `modality_dropout` are now.
    random_state : int, RandomState instance or None, default=None
        Whence the held-out rows, the initial weights, dropout and the order of rows follow. Give a
        number for repeatable results.
    verbose : {0, 1, 2}, default=1
        0 is silent, 1 shows the computation of features and a line a scoring, 2 shows Keras's
        progress bars, too.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        The labels: columns of `y`, sorted names in label lists, or numbers.
    thresholds_ : ndarray of shape (n_labels,), float64
        The decision threshold of each label; ``inf`` is never, ``-inf`` always.
    encoders_ : list of Encoder
        The fitted encoders.
    model_ : keras.Model
        The trained model, from pixels and multi-hot rows to scores.
    history_ : DataFrame
        One row a scoring of the validation rows; see `ValidationScoring`.
    provenance_ : dict
        What the classifier was trained with: numbers of rows, seed, best step, validation scores,
        when, and which versions of the libraries.
    n_features_in_ : int
        How many columns X had.
    feature_names_in_ : ndarray of shape (n_columns,)
        Their names, where X had some.

    Raises
    ------
    ModalityError
        In `fit` and `predict`: if a column is missing or values do not fit an encoder.
    ValueError
        If an option or `y` has a value that it cannot have; the message says which it can.

    See Also
    --------
    multimodal_ensemble.TunedThresholdMultilabelClassifier : Thresholds for any scikit-learn
        estimator.

    Notes
    -----
    scikit-learn's `cross_val_predict`, `GridSearchCV` and the like split `y` themselves, and do not
    know label lists: give them `y` as a multi-hot matrix.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalClassifier
    >>> movies = pd.DataFrame({
    ...     "tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25,
    ...     "genres": [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25,
    ... })
    >>> clf = MultimodalClassifier([BagOfWordsEncoder("tags", units=16, activation="relu")],
    ...                            random_state=1, verbose=0)
    >>> clf = clf.fit(movies, movies["genres"])
    >>> clf.predict_labels({"tags": [["war"], ["paris", "love"]]})
    [('Action',), ('Romance',)]
    """

    def __init__(
        self,
        encoders: Sequence[Encoder] | str = "auto",
        *,
        threshold: Any = "accuracy",
        label_weight: str | Mapping[Any, float] | ArrayLike | None = None,
        dropout: float = 0,
        modality_dropout: float = 0,
        epochs: int = 100,
        batch_size: int = 32,
        optimizer: Any = "adam",
        loss: Any = "binary_crossentropy",
        evaluate_every: int | None = None,
        patience: int | None = 10,
        validation_fraction: float | None = 0.1,
        store: FeatureStore | str | PathLike[str] | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.encoders = encoders
        self.threshold = threshold
        self.label_weight = label_weight
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.loss = loss
        self.evaluate_every = evaluate_every
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.store = store
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # -- training ----------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        validation_data: tuple[Any, Any] | None = None,
        sample_weight: Any = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint: str | PathLike[str] | None = None,
        resume_from: str | PathLike[str] | None = None,
    ) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            The raw columns; an array of numbers is one modality, ``"features"``.
        y : array-like or DataFrame of shape (n_samples, n_labels), or sequence of label lists
            Multi-hot labels, or the labels of each row.
        validation_data : tuple of (X, y), optional
            Rows to stop, to choose weights and to learn thresholds on. Default: held out from the
            training rows, see `validation_fraction`.
        sample_weight : array-like of shape (n_samples,), optional
            Weight of each training row in the loss, not negative.
        callbacks : sequence of keras.callbacks.Callback, default=()
            More callbacks for Keras.
        checkpoint : path, optional
            A file to write at the end of each epoch, to resume from; see `fit_model`.
        resume_from : path, optional
            A checkpoint to go on from, with the same rows and options. What it was begun with it
            ends as, and it is written further.

        Returns
        -------
        MultimodalClassifier
            The classifier itself.

        Raises
        ------
        ModalityError, ValueError
            If the rows or an option cannot be used; the message says why.
        KeyboardInterrupt
            On Ctrl-C. Once the validation rows were scored, the classifier is fitted by then: it
            has the best weights so far, and a line says so.
        """
        self._check_options()
        seed = self._seed(resume_from)
        is_further = self.warm_start and hasattr(self, "thresholds_")
        known = self.classes_ if is_further else None
        rows = self._read_rows(X, y, validation_data, sample_weight, known, seed)
        if not is_further:
            columns = label_columns(X, y)
            encoders = (
                infer_encoders(rows.train.data, exclude=columns, verbose=min(self.verbose, 1))
                if isinstance(self.encoders, str)
                else [clone(encoder) for encoder in check_encoders(self.encoders)]
            )
            warn_of_leakage(encoders, columns)
            with rows.train.telling_rows():
                fit_encoders(encoders, rows.train.data)
            model = self._build(encoders, len(rows.classes), seed)
            self._forget()
            self.encoders_, self.model_ = encoders, model
        weights = self.model_.get_weights() if is_further else None
        before = getattr(self, "thresholds_", None)
        try:
            self._train(
                rows,
                seed,
                callbacks=callbacks,
                checkpoint=checkpoint,
                resume_from=resume_from,
            )
        finally:
            if weights is not None and getattr(self, "thresholds_", None) is before:
                # It failed, or was stopped before it came to anything: nothing has changed.
                self.model_.set_weights(weights)
        return self

    def refit_heads(
        self,
        X: Any,
        y: Any,
        modalities: Sequence[str],
        *,
        validation_data: tuple[Any, Any] | None = None,
        sample_weight: Any = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> Self:
        """Train some modalities' heads anew, and leave the heads of the others as they are.

        The encoders of these modalities are taken from `encoders` again, with what was changed
        there since (see `set_params`), and fitted; the output layer is trained anew, too. The
        other encoders' features come from the store.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `fit`.
        y : array-like or DataFrame of shape (n_samples, n_labels), or sequence of label lists
            As for `fit`, with the same labels.
        modalities : sequence of str
            Names of the encoders whose heads are trained; a name that the classifier has not had
            so far joins as a new modality.
        validation_data : tuple of (X, y), optional
            As for `fit`.
        sample_weight : array-like of shape (n_samples,), optional
            As for `fit`.
        callbacks : sequence of keras.callbacks.Callback, default=()
            As for `fit`.

        Returns
        -------
        MultimodalClassifier
            The classifier itself.

        Raises
        ------
        ModalityError
            If there is no such encoder, or none of the heads would be left as it is.
        """
        check_is_fitted(self)
        self._check_options()
        seed = self._seed(None)
        rows = self._read_rows(X, y, validation_data, sample_weight, self.classes_, seed)
        modalities = [modalities] if isinstance(modalities, str) else list(modalities)
        configured = self.encoders_ if isinstance(self.encoders, str) else self.encoders
        encoders = refit_encoders(
            self.encoders_, check_encoders(configured), modalities, rows.train.data
        )
        model = self._build(encoders, len(self.classes_), seed)
        keep_heads(model, self.model_, modalities)
        before, thresholds = (self.encoders_, self.model_), self.thresholds_
        self.encoders_, self.model_ = encoders, model
        try:
            self._train(rows, seed, callbacks=callbacks)
        finally:
            if self.thresholds_ is thresholds:
                # It failed, or was stopped before it came to anything.
                self.encoders_, self.model_ = before
            else:
                # One in which all heads can be trained again.
                self.model_ = self._build(encoders, len(self.classes_), seed)
                self.model_.set_weights(model.get_weights())
        return self

    # -- prediction --------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return scores.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            Raw columns with the names of those of the training. The columns of optional
            modalities may be absent.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            0..1, float32, one column for each of `classes_`.

        Raises
        ------
        ModalityError
            If a column is missing or values do not fit an encoder.
        ImageReadError
            If an image cannot be read, unless the encoder says otherwise; no row is left out.
        """
        check_is_fitted(self)
        dataset = MultimodalDataset(
            read_table(self, X, reset=False),
            self.encoders_,
            batch_size=self.batch_size,
            store=open_store(self.store),
            verbose=min(self.verbose, 1),
        )
        if len(dataset.dropped):
            row, reason = dataset.dropped.iloc[0]
            msg = (
                f"{len(dataset.dropped)} rows cannot be predicted, the first one is row {row}: "
                f"{reason}. With on_error='missing' and optional=True, or with on_error='blank', "
                "their other modalities are used."
            )
            raise ImageReadError(msg)
        return predict_scores(self.model_, dataset, verbose=min(self.verbose, 1))

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the log-odds of the scores, which rank rows like these.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            ``log(p / (1 - p))``, finite, float64.
        """
        smallest = np.finfo(np.float32).tiny
        scores = self.predict_proba(X).astype(np.float64)
        return np.log(np.maximum(scores, smallest)) - np.log(np.maximum(1 - scores, smallest))

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return labels: where a score is at least its label's threshold.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            Multi-hot, int64, one column for each of `classes_`.
        """
        return apply_thresholds(self.predict_proba(X), self.thresholds_).astype(np.int64)

    def predict_labels(self, X: Any) -> list[tuple[Any, ...]]:
        """Return the names of each row's labels.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.

        Returns
        -------
        list of n_samples tuples
            Elements of `classes_`, in their order.
        """
        return label_tuples(self.predict(X), self.classes_)

    def evaluate(self, X: Any, y: Any) -> Evaluation:
        """Return the figures for rows that were not used in training.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.
        y : array-like or DataFrame of shape (n_samples, n_labels), or sequence of label lists
            Their labels. Labels that the training rows lack are left out, with a warning.

        Returns
        -------
        Evaluation
            ``print`` it for a table.
        """
        check_is_fitted(self)
        check_same_index(X, y)
        y_true, _ = read_labels(y, self.classes_)
        y_score = self.predict_proba(X)
        _check_same_length(y_score, y_true)
        majority = np.asarray(self.provenance_["label_shares"]) > 0.5
        return evaluate_scores(y_true, y_score, self.thresholds_, majority, self._label_names())

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the subset accuracy, as scikit-learn's multilabel classifiers do.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.
        y : array-like or DataFrame of shape (n_samples, n_labels), or sequence of label lists
            Their labels.
        sample_weight : array-like of shape (n_samples,), optional
            Weight of each row.

        Returns
        -------
        float
            Share of rows of which every label is predicted right, 0..1.
        """
        check_is_fitted(self)
        check_same_index(X, y)
        y_true, _ = read_labels(y, self.classes_)
        y_pred = self.predict(X)
        _check_same_length(y_pred, y_true)
        return float(np.average((y_pred == y_true).all(axis=1), weights=sample_weight))

    # -- keeping -----------------------------------------------------------------------------

    def save(self, path: str | PathLike[str], *, include_backbones: bool = True) -> None:
        """Write everything that prediction needs into one file.

        Parameters
        ----------
        path : path
            The file, for example ``"genres.mme"``; one that is there is replaced, once the new one
            is complete.
        include_backbones : bool, default=True
            Whether the weights of frozen backbones are in it. Where not, those that are known by
            name (of `keras.applications`, or a weights file) are left out, and looked for and
            compared by their hash in `load`.

        Raises
        ------
        OSError
            If it cannot be written. An older file of that name is as it was.
        TypeError
            If an encoder holds what cannot be written as JSON or arrays; the message says where.
        """
        check_is_fitted(self)
        save_classifier(self, path, include_backbones=include_backbones)

    @classmethod
    def load(
        cls, path: str | PathLike[str], *, weights: Mapping[str, str | PathLike[str]] | None = None
    ) -> Self:
        """Read a classifier that `save` wrote. No code in the file is run.

        Encoders and layers of other packages must be imported before.

        Parameters
        ----------
        path : path
            The file.
        weights : mapping of str to path, optional
            By modality, where the weights file of a backbone that was left out is on this machine.

        Returns
        -------
        MultimodalClassifier
            On the same machine with the same libraries, it predicts the same to the last bit.

        Raises
        ------
        ArtefactError
            If the file is damaged, holds anything that could run code, was written by a newer
            version, or a backbone has other weights than it had; the message says which.
        FileNotFoundError
            If there is no such file.
        """
        classifier: Self = load_classifier(cls, path, weights=weights or {})
        return classifier

    def export(self, path: str | PathLike[str], *, format: str) -> None:
        """Write the model for other programs, from RGB pixels and multi-hot rows to scores.

        Labels, thresholds and what each input means stand beside it, in ``<path>.json``.

        Parameters
        ----------
        path : path
            A file, or for ``"tf_saved_model"`` a folder.
        format : {"tf_saved_model", "litert", "onnx"}
            ONNX needs the extra ``multimodal-ensemble[export]``.

        Raises
        ------
        ValueError
            If there is no such format.
        ImportError
            If the format needs a package that is not installed.
        """
        check_is_fitted(self)
        export_classifier(self, path, format=format)

    # -- scikit-learn ------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        """Say that targets are multilabel."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.classifier_tags.multi_class = False
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.input_tags.string = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there are thresholds, which are learned last."""
        return hasattr(self, "thresholds_")

    # -- inside ------------------------------------------------------------------------------

    def _check_options(self) -> None:
        check_threshold(self.threshold)
        check_choice(self.verbose, (0, 1, 2), name="verbose")
        check_choice(self.warm_start, (True, False), name="warm_start")
        check_at_least(self.batch_size, 1, name="batch_size")
        if isinstance(self.encoders, str):
            check_choice(self.encoders, ("auto",), name="encoders")
        if self.validation_fraction is not None:
            check_fraction(self.validation_fraction, name="validation_fraction")
            if not self.validation_fraction:
                msg = (
                    "validation_fraction must be above 0, or None to stop and to learn thresholds "
                    "on the training rows themselves. Received validation_fraction=0."
                )
                raise ValueError(msg)

    def _seed(self, resume_from: str | PathLike[str] | None) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        if resume_from is not None:
            # Of a training without a seed of its own, the one that was drawn for it.
            metadata = read_checkpoint_metadata(resume_from)
            if isinstance(metadata.get("seed"), int):
                return int(metadata["seed"])
        return int(check_random_state(self.random_state).randint(_SEEDS))

    def _forget(self) -> None:
        # Of a training that fails, or is stopped before it came to anything, nothing is left.
        for name in ("thresholds_", "model_", "encoders_", "history_", "provenance_"):
            if hasattr(self, name):
                delattr(self, name)

    def _build(self, encoders: Sequence[Encoder], n_labels: int, seed: int | None) -> keras.Model:
        return fuse_encoders(
            encoders,
            n_labels,
            dropout=self.dropout,
            modality_dropout=self.modality_dropout,
            seed=seed,
        )

    def _read_rows(
        self,
        X: Any,
        y: Any,
        validation_data: tuple[Any, Any] | None,
        sample_weight: Any,
        classes: NDArray[Any] | None,
        seed: int,
    ) -> TrainingRows:
        """Return training and validation rows, read and checked."""
        table = read_table(self, X, reset=True)
        check_same_index(table, y)
        check_same_index(table, sample_weight, name="sample_weight")
        y_true, classes = read_labels(y, classes)
        rows = Rows(table, y_true, sample_weight)
        if validation_data is None:
            return hold_out(rows, classes, self.validation_fraction, seed)
        given: Any = validation_data
        if not isinstance(given, tuple | list) or len(given) != 2:
            msg = f"validation_data must be a pair (X, y). Received {type(given).__name__}."
            raise ValueError(msg)
        X_valid, y_valid = given
        table = read_table(self, X_valid, reset=False)
        check_same_index(table, y_valid)
        y_true, _ = read_labels(y_valid, classes, name="y of validation_data")
        return TrainingRows(rows, Rows(table, y_true), classes, is_same=X_valid is X)

    def _train(self, rows: TrainingRows, seed: int, **options: Any) -> None:
        def keep(trained: Trained) -> None:
            self.classes_ = rows.classes
            self.history_ = trained.history
            self.provenance_ = trained.provenance
            # Last: with them, the classifier is fitted.
            self.thresholds_ = trained.thresholds

        params = self.get_params(deep=False)
        train_model(self.model_, self.encoders_, rows, params, seed, keep, **options)

    def _label_names(self) -> list[str]:
        return [str(label) for label in self.classes_.tolist()]


def _check_same_length(y_pred: NDArray[Any], y_true: NDArray[np.bool_]) -> None:
    if len(y_pred) != len(y_true):
        msg = (
            f"X and y must have the same number of rows. Received {len(y_pred)} and {len(y_true)}."
        )
        raise ValueError(msg)
