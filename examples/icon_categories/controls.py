"""What the models are compared with: logistic regressions, and the same scores for all icons."""

import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from multimodal_ensemble import (
    Encoder,
    FeatureStore,
    MultilabelStratifiedKFold,
    MultimodalDataset,
    TunedThresholdMultilabelClassifier,
    fit_encoders,
    mean_roc_auc,
)

from .data import Icons
from .split import Outcome, Split

# The candidates for the penalty; each block of features has rows of a mean length of about 1.
INVERSE_PENALTIES = (0.1, 0.3, 1, 3, 10)
N_FOLDS = 3


def fit_linear(icons: Icons, split: Split, encoders: list[Encoder], store: FeatureStore) -> Outcome:
    """Fit logistic regressions of the joined features, one per category.

    One penalty for all categories is chosen by cross-validation on training icons, and the
    thresholds on out-of-fold scores.
    """
    start = time.perf_counter()
    y = icons.categories.to_numpy()
    x = _join_features(icons, split, encoders, store)
    folds = MultilabelStratifiedKFold(N_FOLDS, random_state=split.seed)
    # These products are so small that BLAS threads mostly wait for each other.
    with threadpool_limits(1, user_api="blas"):
        search = GridSearchCV(
            OneVsRestClassifier(LogisticRegression(max_iter=1000)),
            {"estimator__C": INVERSE_PENALTIES},
            scoring=_score,
            cv=folds,
            refit=False,
        )
        search.fit(x[split.train], y[split.train])
        chosen = search.estimator.set_params(**search.best_params_)
        model = TunedThresholdMultilabelClassifier(chosen, cv=folds)
        model.fit(x[split.train], y[split.train])
    seconds = time.perf_counter() - start
    return Outcome(model.predict_proba(x[split.test]), model.thresholds_, seconds)


def trivial_benchmark(icons: Icons, split: Split) -> Outcome:
    """Return the outcome of the more frequent answer for each category and all icons."""
    shares = icons.categories.iloc[split.train].mean().to_numpy()
    scores = np.full((len(split.test), len(shares)), 0.5)
    return Outcome(scores, np.where(shares > 0.5, -np.inf, np.inf), seconds=0.0)


def _join_features(
    icons: Icons, split: Split, encoders: list[Encoder], store: FeatureStore
) -> np.ndarray:
    """Return features of all icons, as many as there are training icons, or fewer.

    What encoders and scalers learn comes from training icons.
    """
    fitted = fit_encoders(encoders, icons.table.iloc[split.train])
    dataset = MultimodalDataset(icons.table, fitted, store=store, verbose=0)
    blocks = []
    for encoder in fitted:
        block = dataset.feature_matrix(encoder.name)
        block = np.asarray(block.toarray() if hasattr(block, "toarray") else block)
        if encoder.get_backbone() is not None:
            block = np.sign(block) * np.log1p(np.abs(block))
            block = StandardScaler().fit(block[split.train]).transform(block)
            block /= np.sqrt(block.shape[1])
        blocks.append(block)
    x = np.hstack(blocks)
    # Directions outside the span of the training rows have no coefficients.
    return x @ np.linalg.qr(x[split.train].T)[0]


def _score(model: OneVsRestClassifier, x: np.ndarray, y: np.ndarray) -> float:
    return mean_roc_auc(y, model.predict_proba(x))
