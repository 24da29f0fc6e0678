"""Linear models of pretrained features, one per modality, fused as log-odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Self

import pandas as pd

from multimodal_ensemble._labels import check_label_options, label_columns
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._base import BaseMultimodalEstimator
from multimodal_ensemble.estimators._calibration import check_calibration
from multimodal_ensemble.estimators._ensemble_rows import read_ensemble_rows
from multimodal_ensemble.estimators._ensemble_training import train_ensemble
from multimodal_ensemble.estimators._fitted import Fitted
from multimodal_ensemble.estimators._member_encoder import (
    MemberEncoder,
    check_member,
    connect_members,
)
from multimodal_ensemble.estimators._member_plan import check_groups
from multimodal_ensemble.estimators._new_encoders import fit_new_encoders
from multimodal_ensemble.estimators._thresholds import check_threshold
from multimodal_ensemble.estimators._training import draw_seed
from multimodal_ensemble.features import FeatureStore
from multimodal_ensemble.fusion import MemberLayout
from multimodal_ensemble.generators import MultimodalDataset

# Rows per batch where images pass through a backbone in prediction.
_ROWS_PER_BATCH = 32


class MultimodalEnsemble(BaseMultimodalEstimator):
    """Predict labels by one regularised linear model per modality, whose log-odds are added.

    Every member is fitted in closed form to all rows, with the penalty of each label chosen by
    exact leave-one-out scores. No rows are held out, nothing is searched, and a training takes
    seconds once features are stored. Thresholds are learned from the leave-one-out scores of the
    sum. Beyond 200,000 rows, leave-one-out scores are those of a random sample.

    Parameters
    ----------
    encoders : "auto" or sequence of Encoder, default="auto"
        One encoder per modality; `fit` uses copies. ``"auto"`` chooses them by `infer_encoders`,
        with a `TagEmbeddingEncoder` for each column of tags.
    groups : list of list of str, mapping of str to list of str, or None, default=None
        Groups of encoders whose features are joined in one member. Each encoder that is in no
        group is a member of its own.
    members : sequence of (name, estimator) or (name, estimator, inputs), default=()
        Further members: a `MultimodalClassifier`, or any estimator of scikit-learn with
        ``predict_proba``. Several estimators in a list, such as networks of different seeds, are
        averaged. The `inputs` are names of encoders, whose features it takes, or of columns of X;
        by default it takes X, without columns that `y` is made of. Its scores for training rows
        come from five folds.
    joint : bool, default=True
        Whether there is a member over the joined features of all encoders, if they read different
        columns. The result is the mean of this member and of the sum of the others; for rows that
        lack a modality, it is the sum alone.
    weights : {"learned", "equal"} or mapping of str to float, default="learned"
        Weights of the members. ``"learned"`` fits them to the leave-one-out scores, drawn towards
        equal weights; with a bag of words among the encoders, they also depend on the number of
        tokens in a row. A mapping gives them by name.
    threshold : str, callable, None, float, array-like or mapping, default="auto"
        How the decision threshold of each label is learned, as for `MultimodalClassifier`, or its
        value.
    calibration : {"platt", "isotonic"} or None, default=None
        How the sum becomes probabilities. None and ``"platt"`` are the same here, because the sum
        always passes through a logistic function per label. ``"isotonic"`` adds an increasing
        curve per label, learned from leave-one-out scores before thresholds are. It does not
        change ranks. Labels that fewer than five rows have or lack do without it, with a warning.
    label_delimiter : str, optional
        What separates the labels of a row where `y` holds strings, such as ``"|"``. By default, it
        is found and printed. Lists as text, such as ``'["war", "love"]'``, are
        read as lists.
    min_label_count : int, default=1
        Labels that fewer rows have are left out and printed.
    store : FeatureStore, path or None, default=None
        Keeps features of frozen backbones for later trainings. None keeps them for one training.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds and of randomised solvers. Pass an int for repeatable results; estimators
        in `members` have seeds of their own.
    verbose : {0, 1}, default=1
        Whether progress and one line per member are printed.

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
        The fitted encoders, and the members that are estimators.
    members_ : list of MemberLayout
        What each member takes.
    model_ : keras.Model
        The whole ensemble, from pixels and bags to scores.
    history_ : DataFrame
        One row per member: its modalities, the number of rows that have them, the mean ROC-AUC of
        these rows (on leave-one-out scores of the scored rows, or on those of five folds), the
        median penalty, and its weight, which is multiplied by ``(k / k_0) ** exponent`` in a row of
        k tokens.
    provenance_ : dict
        Number of rows (``n_train``) and of those with leave-one-out scores (``n_scored``), number
        of unreadable images, seed, seconds, calibration, ``mean_roc_auc`` and ``mean_accuracy`` of
        the leave-one-out scores of the ensemble, date and library versions.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_columns,)
        Names of the columns of X, if they are strings.

    See Also
    --------
    MultimodalClassifier : One network.

    Notes
    -----
    A member is a ridge regression of 0/1 targets on features that are centred and scaled to a mean
    squared norm of 1; features of backbones are standardised after ``sign(x) * log(1 + |x|)``,
    and numbers are standardised. A member of at most 100 numbers also takes radial features, with
    which it follows curves. The penalty of each label is the one of ten with the
    highest ROC-AUC of leave-one-out scores (see `multimodal_ensemble.linear.fit_ridge`), which
    become log-odds by Platt scaling. Members that read the same columns are averaged;
    those of different columns are added.

    Learned weights, one per member, minimise the log-loss of leave-one-out scores over all labels,
    with a penalty of 30 times the squared distance from 1. A row of many tokens says more by them,
    and less is left for other modalities to say: the weight of a member in a row of k tokens is
    ``weight * (k / k_0) ** exponent``, where k_0 is the geometric mean of the scored rows, and k
    is limited to the range of these. Exponents are learned together with the weights.

    With more than two classes, each class is a label: its members, weights and scaling are those of
    the class against the others. The scores of a row, raised to a power that is learned from the
    leave-one-out scores of all classes, are then divided by their sum.

    In a row that lacks a modality, or whose bag holds no known token, the member of that modality
    says nothing, and the row has the score of the other members.

    With more than 2,500 rows and 2,500 features of a member, the 1,500 leading directions of its
    features are used, and `fit` prints so.

    Coefficients are always learned from all rows. With more than 200,000 of them, a random sample
    of 200,000, or of groups with so many rows, has the leave-one-out scores that choose penalties,
    weights, calibration and thresholds. A member that few of these rows have scores others also. A
    label that no sampled row has is never predicted by a learned threshold. Features that do not
    fit in memory are read part by part, a few times per member, so that memory does not grow with
    the rows. External members need all features in memory.

    A `fit` that fails or is interrupted leaves the ensemble as it was.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
    >>> movies = pd.DataFrame({
    ...     "tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25,
    ...     "genres": [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25,
    ... })
    >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0)
    >>> ensemble = ensemble.fit(movies, movies["genres"])
    >>> ensemble.predict_labels({"tags": [["war"], ["paris", "love"]]})
    [('Action',), ('Romance',)]
    """

    members_: list[MemberLayout]

    def __init__(
        self,
        encoders: Sequence[Encoder] | str = "auto",
        *,
        groups: Sequence[Sequence[str]] | Mapping[str, Sequence[str]] | None = None,
        members: Sequence[Any] = (),
        joint: bool = True,
        weights: str | Mapping[str, float] = "learned",
        threshold: Any = "auto",
        calibration: str | None = None,
        label_delimiter: str | None = None,
        min_label_count: int = 1,
        store: FeatureStore | str | PathLike[str] | None = None,
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.encoders = encoders
        self.groups = groups
        self.members = members
        self.joint = joint
        self.weights = weights
        self.threshold = threshold
        self.calibration = calibration
        self.label_delimiter = label_delimiter
        self.min_label_count = min_label_count
        self.store = store
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        unlabelled: Any = None,
        sample_weight: Any = None,
        groups: Any = None,
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
        unlabelled : DataFrame or mapping of str to sequence, optional
            Further rows without labels, and no test rows. Encoders that learn without labels, such
            as `TagEmbeddingEncoder`, also learn from these. If there is none of
            them, a warning is issued.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), optional
            Weight of each row in the members, perhaps for each label, not negative. Rows of weight
            0 are left out.
        groups : array-like of shape (n_samples,), optional
            The group of each row, such as its patient. All rows of a group are left out together
            when penalties, calibration and thresholds are chosen. There must be two groups or more.

        Returns
        -------
        MultimodalEnsemble
            The ensemble itself.

        Raises
        ------
        ModalityError, ValueError
            If the rows or a parameter cannot be used; the message says why.
        """
        self._check_params()
        external = [check_member(member) for member in self.members]
        seed = draw_seed(self.random_state)
        rows = read_ensemble_rows(self, X, y, sample_weight, groups)
        excluded = label_columns(X, y)
        with seeded_layers(seed):
            encoders = fit_new_encoders(
                self.encoders,
                rows.train,
                excluded,
                seed=seed,
                verbose=self.verbose,
                embed_tags=True,
                unlabelled=unlabelled,
            )
        params = self.get_params(deep=False)
        return self._adopt(train_ensemble(encoders, rows, params, external, excluded, seed))

    def _check_params(self) -> None:
        check_label_options(self.label_delimiter, self.min_label_count)
        check_threshold(self.threshold)
        check_calibration(self.calibration)
        check_groups(self.groups)
        check_choice(self.verbose, (0, 1), name="verbose")
        check_choice(self.joint, (True, False), name="joint")
        if isinstance(self.encoders, str):
            check_choice(self.encoders, ("auto",), name="encoders")
        is_known = isinstance(self.weights, str) and self.weights in ("learned", "equal")
        if not (is_known or isinstance(self.weights, Mapping | pd.Series)):
            msg = (
                "weights must be 'learned', 'equal', or a mapping from the name of each member to "
                f"its weight. Received weights={self.weights!r}."
            )
            raise ValueError(msg)

    @property
    def _rows_per_batch(self) -> int:
        return _ROWS_PER_BATCH

    def _adopt(self, fitted: Fitted) -> Self:
        connect_members(fitted.encoders, self.store)
        return super()._adopt(fitted)

    def _open_rows(self, table: pd.DataFrame, *, verbose: int | None = None) -> MultimodalDataset:
        # `set_params` may have changed the store.
        connect_members(self.encoders_, self.store)
        return super()._open_rows(table, verbose=verbose)

    @classmethod
    def _fitted_params(cls, fitted: Fitted) -> dict[str, Any]:
        encoders = [each for each in fitted.encoders if not isinstance(each, MemberEncoder)]
        names = [encoder.name for encoder in encoders]
        members = [
            each.as_member(names) for each in fitted.encoders if isinstance(each, MemberEncoder)
        ]
        return {"encoders": encoders, "members": members}
