"""Explanations of an estimator's scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from multimodal_ensemble._tables import abbreviate, named_rows
from multimodal_ensemble._target import BINARY, Target
from multimodal_ensemble.estimators._decisions import class_probabilities
from multimodal_ensemble.estimators._read_table import read_table
from multimodal_ensemble.explanation import Explanation, ImageMap, explain_rows, map_images
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.linear import log_odds


class ExplainMixin(ABC):
    """Adds `explain` to an estimator."""

    model_: Any
    classes_: Any
    provenance_: dict[str, Any]

    @property
    @abstractmethod
    def _target(self) -> Target:
        """What is predicted of each row."""

    def explain(self, X: Any, *, labels: Any = None, background: Any = None) -> Explanation:
        """Return how much each modality, token, word and column moves the scores of rows.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`. Explanations of a few hundred rows take seconds; words of texts
            take one pass of the language model each.
        labels : object, sequence or callable, optional
            One or more of `classes_`, which are explained, or a function that takes what
            `predict_proba` returns for the rows, and returns them. Default: all. Of two classes,
            the second one is explained: what speaks for it speaks against the first one.
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
            If there is no such label, or a single row has no background that it needs.
        """
        check_is_fitted(self)
        shown = self._choose_positions(labels) if callable(labels) else self._positions_of(labels)
        table = read_table(self, X, reset=False)
        dataset = self._open_rows(table)
        others = None if background is None else read_table(self, background, reset=False)
        shares = np.asarray(self.provenance_["label_shares"], dtype=np.float64)
        return explain_rows(
            self.model_,
            dataset,
            classes=self._target.labels.tolist(),
            prior=log_odds(shares),
            shown=shown,
            rows=self._names_of_rows(X, table),
            background=None if others is None else partial(self._open_background, others),
        )

    def explain_image(
        self,
        X: Any,
        label: Any,
        *,
        column: str | None = None,
        method: str = "occlusion",
        n_regions: int = 8,
    ) -> list[ImageMap]:
        """Return which regions of the images of rows move the score of a label.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`. Each row takes ``n_regions ** 2 + 1`` passes of the network.
        label : object
            One of `classes_`.
        column : str, optional
            The column of the images. It may be left out if there is only one.
        method : {"occlusion", "grad_cam"}, default="occlusion"
            ``"occlusion"`` covers one region after the other with the mean colour of the image, for
            all encoders that read the column at once, and works with any network. ``"grad_cam"``
            takes one pass, and needs a convolutional network with a frozen end. Of several
            encoders of the column, it takes the first.
        n_regions : int, default=8
            Number of regions per side with ``"occlusion"``, at least 2.

        Returns
        -------
        list of ImageMap
            One map per row that has an image.

        Raises
        ------
        ModalityError
            If there is no such column of images, or the network has no feature map for Grad-CAM.
        ValueError
            If there is no such label or method.
        """
        check_is_fitted(self)
        table = read_table(self, X, reset=False)
        (position,) = self._positions_of([label])
        return map_images(
            self.model_,
            self._open_rows(table),
            label=label,
            position=position,
            rows=self._names_of_rows(X, table),
            column=column,
            method=method,
            n_regions=n_regions,
        )

    def _open_background(self, table: pd.DataFrame, n_rows: int) -> MultimodalDataset:
        """Return at most `n_rows` rows of a table, chosen at random."""
        rows = np.random.default_rng(0).choice(len(table), min(len(table), n_rows), replace=False)
        return self._open_rows(table.iloc[np.sort(rows)])

    @staticmethod
    def _names_of_rows(X: Any, table: pd.DataFrame) -> Sequence[Any]:
        """Return the names of the rows of X, or numbers if there are none or equal ones."""
        named = named_rows(X, table)
        is_named = named is not None and named.index.is_unique
        return list(table.index) if is_named else range(len(table))

    def _choose_positions(
        self, labels: Callable[[NDArray[Any]], Any]
    ) -> Callable[[NDArray[np.float32]], list[int]]:
        """Return a function that gives the positions of the labels chosen by scores."""
        return lambda y_score: self._positions_of(
            labels(class_probabilities(y_score, self._target))
        )

    def _positions_of(self, labels: Any) -> list[int]:
        """Return the positions of labels among all labels, or of all."""
        classes = self._target.labels.tolist()
        if isinstance(labels, str) or (labels is not None and np.ndim(labels) == 0):
            labels = [labels]
        shown = classes if labels is None else list(labels)
        if unknown := [label for label in shown if label not in classes]:
            msg = f"Labels must be among {abbreviate(classes)}. Received {unknown}."
            if self._target.kind == BINARY:
                msg += " Of two classes, the second one is explained."
            raise ValueError(msg)
        if not shown:
            msg = f"Name at least one label of classes_, {abbreviate(classes)}. Received none."
            raise ValueError(msg)
        # A label that is named twice is explained once.
        return list(dict.fromkeys(classes.index(label) for label in shown))

    @abstractmethod
    def _open_rows(self, table: pd.DataFrame) -> MultimodalDataset:
        """Return the rows of a table as a data set for prediction."""
