"""Prediction of rows, part by part."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from multimodal_ensemble._labels import label_tuples
from multimodal_ensemble._open_table import open_lazy
from multimodal_ensemble._progress import make_progress_bar
from multimodal_ensemble._table_files import TableFile, blocks_of, rows_per_part
from multimodal_ensemble._tables import counted, locating_errors
from multimodal_ensemble._target import BINARY, Target
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._decisions import (
    choose_classes,
    class_probabilities,
    name_classes,
)
from multimodal_ensemble.estimators._read_table import read_parts
from multimodal_ensemble.estimators._thresholds import choose_labels
from multimodal_ensemble.estimators._write_predictions import PredictionWriter
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.linear import log_odds
from multimodal_ensemble.metrics import apply_thresholds
from multimodal_ensemble.training import predict_scores


class PredictionMixin:
    """Scores and labels of rows, which are read part by part if there are many."""

    store: Any
    verbose: int
    classes_: Any
    # The labels themselves; scorers of scikit-learn receive others from `classes_`.
    _classes: NDArray[Any]
    encoders_: list[Encoder]
    model_: keras.Model
    thresholds_: NDArray[np.float64]
    target_type_: str

    @property
    def _target(self) -> Target:
        """What is predicted of each row."""
        check_is_fitted(self)
        return Target(self.target_type_, self._classes)

    @property
    @abstractmethod
    def _rows_per_batch(self) -> int:
        """Number of rows that are encoded at once for prediction."""

    def _open_rows(self, table: pd.DataFrame, *, verbose: int | None = None) -> MultimodalDataset:
        shown = min(self.verbose, 1) if verbose is None else verbose
        dataset = MultimodalDataset(
            table,
            self.encoders_,
            batch_size=self._rows_per_batch,
            store=self.store,
            verbose=shown,
        )
        if len(dataset.dropped):
            row, reason = dataset.dropped.iloc[0]
            msg = (
                f"{counted(len(dataset.dropped), 'row')} cannot be predicted, the first because of "
                f"an image in row {row}: {reason}. With on_error='missing' and optional=True, or "
                "with on_error='blank', their other modalities are used."
            )
            raise ImageReadError(msg, row=int(row))
        return dataset

    def _predict_scores(self, table: pd.DataFrame | TableFile) -> NDArray[np.float32]:
        """Return scores of shape ``(n_samples, n_labels)`` for a table of raw columns."""
        return np.concatenate([y_score for _, y_score in self._predict_parts([table])])

    def _predict_parts(
        self, tables: Iterable[pd.DataFrame | TableFile]
    ) -> Iterator[tuple[pd.DataFrame, NDArray[np.float32]]]:
        """Yield parts of tables with their scores."""
        n_before = 0
        for table in tables:
            n_rows, n_done = len(table), 0
            # A single part shows the progress of its own.
            is_whole = n_rows <= rows_per_part(table)
            verbose = min(self.verbose, 1) if is_whole else 0
            bar = make_progress_bar(n_rows, unit="row") if self.verbose and not is_whole else None
            for part in blocks_of(table):
                start = n_before + n_done
                with locating_errors(range(start, start + len(part))):
                    dataset = self._open_rows(part, verbose=verbose)
                    y_score = predict_scores(self.model_, dataset, verbose=verbose)
                # The features of two parts need not be in memory at once.
                del dataset
                yield part, y_score
                n_done += len(part)
                if bar is not None:
                    bar.update(n_done)
            n_before += n_rows

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return scores.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, array-like of shape (n_samples, n_features), path
            Raw columns with the names that they have in training. The columns of optional
            modalities may be absent. A path is that of a Parquet file, or of a folder of these; an
            iterator of tables is read as it comes. Both are read part by part.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            Scores in 0..1, float32, one column for each of `classes_`. With one class per row, they
            add up to 1.

        Raises
        ------
        ModalityError
            If a column is absent or values do not fit an encoder.
        ImageReadError
            If an image cannot be read, unless its encoder has another `on_error`.
        """
        return class_probabilities(self._score_rows(X), self._target)

    def _score_rows(self, X: Any) -> NDArray[np.float32]:
        """Return the scores of the model, one column for each of its labels."""
        check_is_fitted(self)
        parts = self._predict_parts(read_parts(self, X))
        return np.concatenate([y_score for _, y_score in parts])

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the log-odds of the scores, which rank rows as the scores do.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_labels), or (n_samples,) with two classes
            ``log(p / (1 - p))``, finite, float64; of two classes, that of the second one.
        """
        odds = log_odds(self._score_rows(X))
        return odds[:, 0] if self._target.kind == BINARY else odds

    def predict(self, X: Any) -> NDArray[Any]:
        """Return labels: 1 where a score is at least the threshold of its label.

        With one class per row, return classes: the second one of two where its score is at least
        the threshold, and the one with the highest quotient of score and threshold of several.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_labels), or (n_samples,) with one class per row
            Multi-hot, int64, one column for each of `classes_`; or elements of `classes_`.
        """
        y_score, target = self._score_rows(X), self._target
        if target.is_single:
            return target.classes[choose_classes(y_score, self.thresholds_, target)]
        return apply_thresholds(y_score, self.thresholds_).astype(np.int64)

    def predict_labels(self, X: Any, *, at_least: int = 0, top_k: int | None = None) -> list[Any]:
        """Return the names of the labels of each row, or the class of each row.

        Few scores reach the threshold of a rare label, so some rows have no label. `at_least` and
        `top_k` give such rows their best labels.

        The best labels of a row are those that reach their threshold. The others follow by
        ``logit(score) - logit(threshold)``, so labels with a threshold of ``inf`` come last, in
        order of their scores.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
            As for `predict_proba`.
        at_least : int, default=0
            Minimum number of labels per row. Rows with fewer labels get their best ones.
        top_k : int, optional
            Exact number of labels per row, whether or not they reach their threshold. With one
            class per row, the number of best classes.

        Returns
        -------
        list of n_samples tuples
            Elements of `classes_`, in the order of `classes_`. With one class per row, a list of
            n_samples elements of `classes_`; with `top_k`, of tuples of these, the best first.

        Raises
        ------
        ValueError
            If there are fewer labels than `at_least` or `top_k`, or both are given.
        """
        return self._name_labels(self._score_rows(X), at_least=at_least, top_k=top_k)

    def labels_from_scores(self, y_score: Any) -> list[Any]:
        """Return what `predict_labels` does, for scores that were computed before.

        Parameters
        ----------
        y_score : array-like of shape (n_samples, n_labels)
            What `predict_proba` returned.

        Returns
        -------
        list of n_samples tuples
            Elements of `classes_`, or with one class per row, one of them for each row.

        Raises
        ------
        ValueError
            If there is no column for each of `classes_`.

        Examples
        --------
        >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
        >>> X = {"tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25}
        >>> y = [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25
        >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
        >>> y_score = ensemble.predict_proba({"tags": [["war"], ["love"]]})
        >>> ensemble.labels_from_scores(y_score)
        [('Action',), ('Romance',)]
        """
        y_score, n_classes = np.asarray(y_score), len(self._target.classes)
        if y_score.ndim != 2 or y_score.shape[1] != n_classes:
            msg = (
                f"y_score must have shape (n_samples, {n_classes}), as predict_proba returns it. "
                f"Received shape {y_score.shape}."
            )
            raise ValueError(msg)
        # Of two classes, the model scores the second one alone.
        return self._name_labels(y_score[:, -len(self.thresholds_) :], at_least=0, top_k=None)

    def _name_labels(
        self, y_score: NDArray[np.float32], *, at_least: int, top_k: int | None
    ) -> list[Any]:
        options: dict[str, Any] = {"at_least": at_least, "top_k": top_k}
        target = self._target
        if target.is_single:
            return name_classes(y_score, self.thresholds_, target, **options)
        return label_tuples(choose_labels(y_score, self.thresholds_, **options), target.classes)

    def write_predictions(
        self,
        X: Any,
        path: str | PathLike[str],
        *,
        columns: Sequence[str] = (),
        at_least: int = 0,
        top_k: int | None = None,
    ) -> int:
        """Write scores and labels to a file, part by part, so that few rows are in memory.

        The file has the `columns` of X, a column ``labels`` and, for each label, a column
        ``score_<label>``. In a CSV file, the labels of a row are separated by ``|``. With one class
        per row, there is a column ``label`` in place of ``labels``, unless `top_k` is given.

        Parameters
        ----------
        X : DataFrame, mapping of str to sequence, array-like of shape (n_samples, n_features), path
            As for `predict_proba`, also an iterator of tables.
        path : path
            A file whose name ends in ``.csv`` or ``.parquet``. An existing one is replaced once the
            new one is complete. Parquet needs the extra ``multimodal-ensemble[parquet]``.
        columns : sequence of str, default=()
            Columns of X to copy, such as one that identifies each row.
        at_least, top_k : int, optional
            Number of labels per row, as for `predict_labels`.

        Returns
        -------
        int
            Number of rows written.

        Raises
        ------
        ValueError
            If the file has another ending or X is read from it, X lacks one of the columns or has
            no rows, or a label has a ``|``.
        ModalityError, ImageReadError
            As `predict_proba` does. An existing file is then unchanged.

        Examples
        --------
        >>> import tempfile
        >>> import pandas as pd
        >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
        >>> X = {"tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25}
        >>> y = [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25
        >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
        >>> rows = pd.DataFrame({"id": [7, 8], "tags": [["war"], ["love"]]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     n_rows = ensemble.write_predictions(
        ...         rows, f"{folder}/rows.csv", columns=["id"])
        ...     table = pd.read_csv(f"{folder}/rows.csv")
        >>> list(table)
        ['id', 'labels', 'score_Action', 'score_Romance']
        >>> table["labels"].tolist()
        ['Action', 'Romance']
        """
        check_is_fitted(self)
        columns = [columns] if isinstance(columns, str) else list(columns)
        n_rows = 0
        target = self._target
        is_single = target.is_single and top_k is None
        with PredictionWriter.open(
            path, target.classes, columns, source=X, is_single=is_single
        ) as writer:
            rows = open_lazy(X) if isinstance(X, str | PathLike) else X

            def checked_tables() -> Iterator[pd.DataFrame | TableFile]:
                for table in read_parts(self, rows):
                    # In memory, a column does not have the type that it has in its file.
                    writer.begin(rows if isinstance(rows, TableFile) else table)
                    yield table

            for part, y_score in self._predict_parts(checked_tables()):
                named = self._name_labels(y_score, at_least=at_least, top_k=top_k)
                writer.write(part, named, class_probabilities(y_score, target))
                n_rows += len(part)
        return n_rows
