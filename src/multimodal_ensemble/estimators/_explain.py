"""Explanations of an estimator's scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from multimodal_ensemble._tables import abbreviate, named_rows
from multimodal_ensemble.estimators._rows import read_table
from multimodal_ensemble.estimators._thresholds import log_odds
from multimodal_ensemble.explanation import Explanation, explain_rows
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training import predict_scores


class ExplainMixin(ABC):
    """Adds `explain` to an estimator."""

    model_: Any
    classes_: Any
    provenance_: dict[str, Any]

    def explain(
        self, X: Any, *, labels: Sequence[Any] | None = None, background: Any = None
    ) -> Explanation:
        """Return how much each modality, token, word and column moves the scores of rows.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`. Explanations of a few hundred rows take seconds; words of texts
            take one pass of the language model each.
        labels : sequence, optional
            Which of `classes_` are explained. Default: all.
        background : DataFrame, mapping of str to sequence, or array-like, optional
            Rows that stand for absent modalities, such as training rows; at most 50 of them are
            used. Only networks that were trained without optional modalities and without
            `modality_dropout` need them. Default: the rows of `X`.

        Returns
        -------
        Explanation
            Tables of contributions to the log-odds, and figures.

        Raises
        ------
        ModalityError
            If a column is absent or values do not fit an encoder.
        ValueError
            If there is no such label.
        """
        check_is_fitted(self)
        classes = list(self.classes_)
        if unknown := [label for label in labels or () if label not in classes]:
            msg = f"labels must be among classes_, {abbreviate(classes)}. Received {unknown}."
            raise ValueError(msg)
        shown = range(len(classes)) if labels is None else [classes.index(each) for each in labels]
        table = read_table(self, X, reset=False)
        dataset = self._open_rows(table)
        named = named_rows(X, table)
        is_named = named is not None and named.index.is_unique
        shares = np.asarray(self.provenance_["label_shares"], dtype=np.float64)
        return explain_rows(
            self.model_,
            dataset,
            y_score=predict_scores(self.model_, dataset),
            classes=classes,
            prior=log_odds(shares),
            shown=list(shown),
            rows=list(named.index) if named is not None and is_named else range(len(table)),
            background=None
            if background is None
            else self._open_rows(read_table(self, background, reset=False)),
        )

    @abstractmethod
    def _open_rows(self, table: pd.DataFrame) -> MultimodalDataset:
        """Return the rows of a table as a data set for prediction."""
