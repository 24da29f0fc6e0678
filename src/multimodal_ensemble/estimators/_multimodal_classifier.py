"""One network over all modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Self

import keras
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from multimodal_ensemble._freed_memory import return_freed_memory
from multimodal_ensemble._labels import label_columns
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble._target import Target
from multimodal_ensemble.encoders import Encoder, as_encoder_list
from multimodal_ensemble.estimators._base import BaseMultimodalEstimator
from multimodal_ensemble.estimators._calibration import without_calibration
from multimodal_ensemble.estimators._check_params import check_classifier_params
from multimodal_ensemble.estimators._class_training import activation_of
from multimodal_ensemble.estimators._new_encoders import fit_new_encoders
from multimodal_ensemble.estimators._refit import keep_heads, refit_encoders
from multimodal_ensemble.estimators._rows import TrainingRows, read_training_rows
from multimodal_ensemble.estimators._training import (
    BATCH_SIZE,
    FUSION_OPTIONS,
    draw_seed,
    reseed_layers,
    restored_on_error,
    train_model,
)
from multimodal_ensemble.features import FeatureStore
from multimodal_ensemble.fusion import fuse_encoders
from multimodal_ensemble.training import MonitorFunction


class MultimodalClassifier(BaseMultimodalEstimator):
    """Predict labels or classes from several kinds of input: one call to train, one file to save.

    `fit` fits the encoders to the training rows, computes the features of frozen backbones once,
    trains the heads and their fusion, and keeps the weights with the best validation score. It
    also learns one decision threshold per label on the validation rows, which `predict` applies.
    The classifier is a scikit-learn estimator: `y` has several labels per row, or one of two or
    more classes; `fit` prints which.

    Parameters
    ----------
    encoders : sequence of Encoder or "auto", default="auto"
        One encoder per modality; `fit` fits clones of them. ``"auto"`` chooses encoders for the
        columns and prints its reasons; see `infer_encoders`. Encoders' parameters are parameters
        of the classifier: ``set_params(tags__max_tokens=2000)``.
    threshold : str, callable, float, array-like, mapping or None, default="auto"
        The criterion that thresholds maximise on the validation rows (see `tune_thresholds`), one
        threshold for all labels, or one per label as an array or by label. None is 0.5. ``"auto"``
        is ``"prevalence"``: each label is predicted about as often as it occurs in these rows. Of
        more than two classes, it is the most probable one, as with ``"accuracy"`` and None; see
        the notes.
    calibration : {"platt", "isotonic"} or None, default=None
        How scores become probabilities, per label, before thresholds are learned, both from the
        validation rows: by a logistic function of their log-odds, by an increasing curve, or not
        at all. Neither changes ranks. With more than two classes, ``"platt"`` is one temperature,
        and probabilities add up to 1. A label needs one validation row with and one without it for
        ``"platt"``, and five each for ``"isotonic"``; otherwise it keeps its scores, with a
        warning.
    label_weight : "balanced", mapping, array-like of shape (n_labels,) or None, default=None
        Weights of labels in the loss, for rare labels; see `fit_model`. With more than two classes,
        those of the rows of each class.
    fusion : {"concat", "gated", "attention"} or keras.Layer, default="concat"
        How the embeddings of modalities are joined; see `fuse_encoders`.
    dropout : float, default=0
        Dropout rate on the joined embeddings, in [0, 1).
    modality_dropout : float, default=0.3
        Rate at which training leaves a whole modality out of a row, in [0, 1), but never all of
        them; see `fuse_encoders`. It trains the vectors that replace missing modalities.
    epochs : int, default=100
        Maximum number of passes over the training rows.
    batch_size : int, optional
        Rows per batch. Default: 32, or a tenth of the training rows if that is fewer.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        As `keras.Model.compile` takes it; each training uses a copy.
    loss : str, keras.losses.Loss or callable, default="auto"
        As `keras.Model.compile` takes it. ``"auto"`` is ``"binary_crossentropy"``, and
        ``"categorical_crossentropy"`` for more than two classes, whose last layer is a softmax.
    evaluate_every : int, optional
        Batches between two validation evaluations; see `fit_model`.
    patience : int or None, default=10
        Number of evaluations without a better one after which training stops; see `fit_model`.
        None never stops early.
    monitor : str or callable, default="mean_roc_auc"
        The validation metric that chooses the best weights and stops the training:
        ``"mean_roc_auc"``, ``"loss"``, ``"mean_average_precision"``, ``"f1"``, or a callable
        ``(y_true, y_score) -> float``, greater for better scores; see `ValidationEvaluation`. In
        place of a callable, a saved file has the default.
    validation_fraction : float or None, default=0.1
        Share of the training rows, and of each label, that is held out if `fit` receives no
        validation rows. Of more than 250,000 rows without groups, they are drawn at random. None
        validates on the training rows and warns that this is optimistic.
    label_delimiter : str, optional
        What separates the labels of a row where `y` holds strings, such as ``"|"``. By default, it
        is found and printed. Lists as text, such as ``'["war", "love"]'``, are
        read as lists.
    min_label_count : int, default=1
        Labels that fewer rows have are left out and printed.
    store : FeatureStore, path or None, default=None
        Keeps features of frozen backbones for later trainings. None keeps them for one training.
    warm_start : bool, default=False
        Whether `fit` continues the previous training with the same fitted encoders and model, and
        ignores `encoders`, `fusion`, `dropout` and `modality_dropout`.
    random_state : int, RandomState instance or None, default=None
        Seeds everything that is random in a training. Pass an int for repeatable results.
    verbose : {0, 1, 2}, default=1
        0 is silent, 1 prints progress and one line per evaluation, 2 adds Keras's progress bars.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        The labels: columns of `y`, sorted names in label lists, or numbers; or the sorted classes.
    target_type_ : {"multilabel", "binary", "multiclass"}
        What `y` is: labels, one of two classes, or one of several classes per row.
    thresholds_ : ndarray of shape (n_labels,), float64
        The decision threshold of each label; ``inf`` means never, ``-inf`` always. Of two classes,
        that of the second one alone.
    encoders_ : list of Encoder
        The fitted encoders.
    model_ : keras.Model
        The trained model, from pixels and multi-hot rows to scores.
    history_ : DataFrame
        One row per validation evaluation.
    provenance_ : dict
        Numbers of rows and of unreadable images, seed, best step, calibration, validation scores,
        date and library versions.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_columns,)
        Names of the columns of X, if they are strings.

    See Also
    --------
    MultimodalEnsemble : Linear models of the same features, which train in seconds.
    multimodal_ensemble.TunedThresholdMultilabelClassifier : Thresholds for any scikit-learn
        estimator.

    Notes
    -----
    A `fit` or `refit_heads` that fails, or is interrupted before the first evaluation, leaves the
    classifier as it was.

    Of several classes, the one whose score exceeds its threshold by the largest factor is
    predicted: the most probable one with equal thresholds, and with ``threshold=
    "balanced_accuracy"``, where thresholds are the shares of the classes, the one that a high
    balanced accuracy needs. Other criteria are for labels and for two classes.

    `sklearn.model_selection.cross_val_predict` and `sklearn.model_selection.GridSearchCV` split
    `y` themselves and do not accept label lists. Pass `y` as a multi-hot matrix there.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalClassifier
    >>> movies = pd.DataFrame({
    ...     "tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25,
    ...     "genres": [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25,
    ... })
    >>> clf = MultimodalClassifier([BagOfWordsEncoder("tags")],
    ...                            epochs=20, random_state=1, verbose=0)
    >>> clf = clf.fit(movies, movies["genres"])
    >>> clf.predict_labels({"tags": [["war"], ["paris", "love"]]})
    [('Action',), ('Romance',)]
    """

    encoders_: list[Encoder]
    model_: keras.Model

    def __init__(
        self,
        encoders: Sequence[Encoder] | str = "auto",
        *,
        threshold: Any = "auto",
        calibration: str | None = None,
        label_weight: str | Mapping[Any, float] | ArrayLike | None = None,
        fusion: str | keras.Layer = "concat",
        dropout: float = 0,
        modality_dropout: float = 0.3,
        epochs: int = 100,
        batch_size: int | None = None,
        optimizer: Any = "adam",
        loss: Any = "auto",
        evaluate_every: int | None = None,
        patience: int | None = 10,
        monitor: str | MonitorFunction = "mean_roc_auc",
        validation_fraction: float | None = 0.1,
        label_delimiter: str | None = None,
        min_label_count: int = 1,
        store: FeatureStore | str | PathLike[str] | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.encoders = encoders
        self.threshold = threshold
        self.calibration = calibration
        self.label_weight = label_weight
        self.fusion = fusion
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.loss = loss
        self.evaluate_every = evaluate_every
        self.patience = patience
        self.monitor = monitor
        self.validation_fraction = validation_fraction
        self.label_delimiter = label_delimiter
        self.min_label_count = min_label_count
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
        groups: Any = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint: str | PathLike[str] | None = None,
        resume_from: str | PathLike[str] | None = None,
    ) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            The raw columns. An array of numbers is one modality, ``"features"``.
        y : array-like or DataFrame of shape (n_samples, n_labels), sequence of label lists, or str
            Multi-hot labels, NaN where one is unknown, or the labels of each row: lists, or strings
            such as ``"war|love"`` (see `label_delimiter`). Or one class per row, of shape
            (n_samples,): strings that nothing separates, whole numbers, booleans or categories. A
            name is that of a column of X that holds them.
        validation_data : tuple of (X, y), optional
            Rows that stop the training and choose weights and thresholds. Default: rows held out
            from the training rows; see `validation_fraction`.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), optional
            Weight of each row in the loss, perhaps for each label, not negative.
        groups : array-like of shape (n_samples,), optional
            The group of each row, such as its patient. All rows of a group are either training
            rows or held-out rows.
        callbacks : sequence of keras.callbacks.Callback, default=()
            More callbacks for Keras, which find the validation values in their `logs`, such as
            ``val_loss`` and ``val_mean_roc_auc``; see `fit_model`.
        checkpoint : path, optional
            A file that is written at the end of each epoch, to resume from; see `fit_model`.
        resume_from : path, optional
            A checkpoint to resume from, with the same rows and parameters; it is then updated.
            `patience`, `threshold`, `calibration`, `store` and `verbose` may differ, and `epochs`
            may be larger if `evaluate_every` is given; see `fit_model`.

        Returns
        -------
        MultimodalClassifier
            The classifier itself.

        Raises
        ------
        ModalityError, ValueError
            If the rows or a parameter cannot be used; the message says why.
        CheckpointError
            If a checkpoint belongs to other rows or parameters; the message names what differs.
        KeyboardInterrupt
            On Ctrl-C. After the first evaluation, the classifier is then fitted with the best
            weights so far, and a line reports that.
        """
        check_classifier_params(self)
        seed = draw_seed(self.random_state, resume_from)
        continues = self.warm_start and hasattr(self, "thresholds_")
        known = self._target if continues else None
        rows = read_training_rows(
            self, X, y, validation_data, sample_weight, groups=groups, known=known, seed=seed
        )
        options: dict[str, Any] = {
            "callbacks": callbacks,
            "checkpoint": checkpoint,
            "resume_from": resume_from,
        }
        if continues:
            model = without_calibration(self.model_)
            return self._train(model, self.encoders_, rows, seed, **options, continues=True)
        with seeded_layers(seed):
            encoders = fit_new_encoders(
                self.encoders, rows.train, label_columns(X, y), seed=seed, verbose=self.verbose
            )
        model = self._build(encoders, rows.target, seed)
        return self._train(model, encoders, rows, seed, **options)

    def refit_heads(
        self,
        X: Any,
        y: Any,
        modalities: Sequence[str],
        *,
        validation_data: tuple[Any, Any] | None = None,
        sample_weight: Any = None,
        groups: Any = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> Self:
        """Train the heads of some modalities again, and keep the heads of the others.

        The encoders of these modalities are cloned from `encoders`, with all changes since the
        last `fit`, and fitted. The fusion and the output layer are trained again as well.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `fit`.
        y : array-like or DataFrame of shape (n_samples, n_labels), or sequence of label lists
            As for `fit`, with the same labels.
        modalities : sequence of str
            Names of the encoders whose heads are trained, new modalities among them.
        validation_data : tuple of (X, y), optional
            As for `fit`.
        sample_weight, groups : array-like of shape (n_samples,), optional
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
            If there is no such encoder, or all heads would be trained.
        """
        check_is_fitted(self)
        check_classifier_params(self)
        seed = draw_seed(self.random_state)
        target = self._target
        rows = read_training_rows(
            self, X, y, validation_data, sample_weight, groups=groups, known=target, seed=seed
        )
        modalities = [modalities] if isinstance(modalities, str) else list(modalities)
        configured = self.encoders_ if isinstance(self.encoders, str) else self.encoders
        wanted = as_encoder_list(configured)
        some = rows.train.in_memory(seed)
        with seeded_layers(seed), some.locating_errors():
            encoders = refit_encoders(self.encoders_, wanted, modalities, some.frame)
        model = self._build(encoders, target, seed)
        kept = [encoder.name for encoder in encoders if encoder.name not in modalities]
        keep_heads(model, self.model_, kept)
        # The kept heads are frozen in `model`, but the result can be trained as a whole.
        final_model = self._build(encoders, target, seed)
        return self._train(
            model, encoders, rows, seed, final_model=final_model, callbacks=callbacks
        )

    @property
    def _rows_per_batch(self) -> int:
        return self.batch_size or BATCH_SIZE

    def _build(self, encoders: Sequence[Encoder], target: Target, seed: int) -> keras.Model:
        options = {name: getattr(self, name) for name in FUSION_OPTIONS}
        activation = activation_of(target)
        return fuse_encoders(
            encoders, len(target.labels), activation=activation, seed=seed, **options
        )

    def _train(
        self,
        model: keras.Model,
        encoders: list[Encoder],
        rows: TrainingRows,
        seed: int,
        *,
        continues: bool = False,
        **options: Any,
    ) -> Self:
        """Train a model and adopt the result; without a result, everything stays as it was."""
        params = self.get_params(deep=False)
        # The new model may share a partly unfrozen backbone with the present one, or all layers.
        with restored_on_error(getattr(self, "model_", None)):
            if continues:
                reseed_layers(model, seed)
            try:
                fitted = train_model(model, encoders, rows, params, seed, **options)
            except KeyboardInterrupt as interrupt:
                if so_far := getattr(interrupt, "fitted", None):
                    self._adopt(so_far)
                raise
        return_freed_memory()
        return self._adopt(fitted)
