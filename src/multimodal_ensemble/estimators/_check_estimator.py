"""A check of the estimators that functions take."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from multimodal_ensemble.estimators._explain import ExplainMixin


def check_estimator(estimator: Any) -> None:
    """Raise a TypeError unless `estimator` can be explained, or an error if it is not fitted."""
    if not isinstance(estimator, ExplainMixin):
        kind = "the class " if isinstance(estimator, type) else "a "
        name = estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
        msg = (
            "estimator must be a fitted MultimodalClassifier or MultimodalEnsemble. Received "
            f"{kind}{name}."
        )
        raise TypeError(msg)
    check_is_fitted(estimator)
