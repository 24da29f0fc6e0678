"""A fitted estimator as a server uses it: scores and explanations of checked rows."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.encoders import ImageEncoder
from multimodal_ensemble.serving._encoder_errors import refusing_values
from multimodal_ensemble.serving._fields import describe_fields, is_own_encoder
from multimodal_ensemble.serving._request_error import RequestError
from multimodal_ensemble.serving._row_values import Row, make_table

# Labels that are explained for a row without predicted ones.
_N_BEST = 3
# Regions per side of the map of an image. Each is covered in a pass of its own.
_N_REGIONS = 6


class ServedModel:
    """Scores and explains rows, without a feature store and without progress bars.

    Parameters
    ----------
    model : MultimodalClassifier or MultimodalEnsemble
        A fitted estimator, which stays as it is.
    background : DataFrame or mapping, optional
        Rows that stand for absent modalities in explanations.
    trusted_columns : collection of str
        Columns of encoders of other packages.
    """

    def __init__(self, model: Any, *, background: Any, trusted_columns: Collection[str]) -> None:
        check_is_fitted(model)
        self.kind = type(model).__name__
        self.fields = describe_fields(model.encoders_, trusted_columns=trusted_columns)
        self._model = copy.copy(model)
        # Nothing of a request is stored, and images are read before they reach an encoder, which
        # would otherwise remember each of them.
        self._model.store, self._model.verbose = None, 0
        self._model.encoders_ = [*map(_without_memory, model.encoders_)]
        self._background = background
        # Encoders of single images, which can be mapped.
        self._mapped = [
            each
            for each in self._model.encoders_
            if isinstance(each, ImageEncoder) and each.items is None
        ]
        self._foreign = [each for each in self._model.encoders_ if not is_own_encoder(each)]
        self.target_type: str = model.target_type_
        self.labels: list[Any] = list(model.classes_)
        # Of two classes, the second one alone has a threshold and is explained.
        self._explained = self.labels[1:] if self.target_type == "binary" else self.labels
        self._thresholds: FloatArray = np.asarray(model.thresholds_, dtype=np.float64)

    def score(self, rows: Sequence[Row]) -> FloatArray:
        """Return scores of shape (n_rows, n_labels)."""
        with refusing_values(self._foreign):
            scores: FloatArray = self._model.predict_proba(make_table(rows, self.fields))
        return scores

    def describe_scores(self, scores: FloatArray) -> dict[str, Any]:
        """Return scores and labels of rows, in JSON values."""
        names = [str(label) for label in self.labels]
        thresholds = map(_finite, self._thresholds.tolist())
        return {
            "target_type": self.target_type,
            "rows": [
                {
                    "labels": [str(label) for label in labels],
                    "scores": dict(zip(names, map(_rounded, row.tolist()), strict=True)),
                }
                for row, labels in zip(scores, self._choose_labels(scores), strict=True)
            ],
            "thresholds": dict(zip(map(str, self._explained), thresholds, strict=True)),
        }

    def count_maps(self, rows: Sequence[Row]) -> int:
        """Return the number of images that `explain` can map.

        Raises
        ------
        RequestError
            If the model reads no single images.
        """
        if not self._mapped:
            raise RequestError(422, "the model reads no single images, so there is nothing to map")
        return sum(row.get(column) is not None for row in rows for column in self._mapped_columns())

    def explain(
        self, rows: Sequence[Row], labels: Sequence[str], n_parts: int, *, has_maps: bool = False
    ) -> list[dict[str, Any]]:
        """Return what the scores of labels rest on, for each row, in JSON values.

        Without `labels`, the predicted ones of each row are explained, or else the best ones. Maps
        of the images of a row are those of its first label.

        Raises
        ------
        RequestError
            If there is no such label, or the model needs background rows that it lacks.
        """
        table = make_table(rows, self.fields)
        asked = self._find_labels(labels)
        shown: list[list[Any]] = [asked] * len(table)

        def choose(scores: FloatArray) -> list[Any]:
            # The scores of the explanation are those that choose labels, so that rows are scored
            # once.
            shown[:] = self._best_labels(scores)
            return [label for label in self._explained if any(label in each for each in shown)]

        try:
            with refusing_values(self._foreign):
                explanation = self._model.explain(
                    table, labels=asked or choose, background=self._background
                )
        except ValueError as error:
            if "background" not in str(error):
                raise
            reason = (
                "a single row of this model can be explained only if the server was started with "
                "background rows; see the documentation of make_app"
            )
            raise RequestError(422, reason) from error
        explained: list[dict[str, Any]] = [
            {"labels": [_describe(explanation, row, label, n_parts) for label in each]}
            for row, each in zip(explanation.rows, shown, strict=True)
        ]
        if has_maps:
            maps = self._map_images(table, [each[0] for each in shown])
            for row, of_row in zip(explained, maps, strict=True):
                row["image_maps"] = of_row
        return explained

    def _mapped_columns(self) -> list[str]:
        """Return the columns of single images; several encoders may read one."""
        return list(dict.fromkeys(each.columns[0] for each in self._mapped))

    def _map_images(self, table: pd.DataFrame, labels: Sequence[Any]) -> list[list[dict[str, Any]]]:
        """Return which regions of the images of each row move the score of its label."""
        found: list[list[dict[str, Any]]] = [[] for _ in labels]
        # An image is not divided into more regions than it has pixels.
        sides = [side for encoder in self._mapped for side in encoder.input_shape[-3:-1]]
        for column in self._mapped_columns():
            for label in dict.fromkeys(labels):
                positions = [
                    position
                    for position, each in enumerate(labels)
                    if each == label and table[column].iloc[position] is not None
                ]
                if not positions:
                    continue
                maps = self._model.explain_image(
                    table.iloc[positions].reset_index(drop=True),
                    label,
                    column=column,
                    n_regions=min(_N_REGIONS, *sides),
                )
                for position, each in zip(positions, maps, strict=True):
                    values = [[_rounded(value) for value in line] for line in each.values.tolist()]
                    described = {"column": column, "label": str(label), "values": values}
                    found[position].append(described)
        return found

    def _find_labels(self, names: Sequence[str]) -> list[Any]:
        """Return the labels that a request names."""
        by_name = {str(label): label for label in self._explained}
        if unknown := [name for name in names if name not in by_name]:
            reason = f"there is no label {unknown[0]!r:.80} to explain; GET /health lists them"
            raise RequestError(422, reason)
        return [by_name[name] for name in dict.fromkeys(names)]

    def _best_labels(self, scores: FloatArray) -> list[list[Any]]:
        """Return the labels that are explained for each row, by its scores."""
        best = np.argsort(-scores[:, -len(self._explained) :], axis=1, kind="stable")
        shown = []
        for order, chosen in zip(best.tolist(), self._choose_labels(scores), strict=True):
            ordered = [self._explained[position] for position in order]
            shown.append([label for label in ordered if label in chosen] or ordered[:_N_BEST])
        return shown

    def _choose_labels(self, scores: FloatArray) -> list[tuple[Any, ...]]:
        """Return the predicted labels of each row."""
        labels = self._model.labels_from_scores(scores)
        return labels if self.target_type == "multilabel" else [(label,) for label in labels]


def _without_memory(encoder: Any) -> Any:
    if not isinstance(encoder, ImageEncoder):
        return encoder
    served = copy.copy(encoder)
    served.on_error = "raise"
    return served


def _describe(explanation: Any, row: Any, label: Any, n_parts: int) -> dict[str, Any]:
    of_both = [
        table[(table["row"] == row) & (table["label"] == label)]
        for table in (explanation.scores, explanation.modalities)
    ]
    score, modalities = of_both[0].iloc[0], of_both[1]
    parts = explanation.top(row, label, n_parts)
    return {
        "label": str(label),
        "score": _rounded(float(score["score"])),
        "log_odds": _rounded(float(score["log_odds"])),
        "base": _rounded(float(score["base"])),
        "modalities": [
            {
                "modality": modality,
                "contribution": _rounded(float(contribution)),
                "is_missing": bool(is_missing),
            }
            for modality, contribution, is_missing in zip(
                modalities["modality"],
                modalities["contribution"],
                modalities["is_missing"],
                strict=True,
            )
        ],
        "parts": [
            {"part": str(part), "columns": columns, "contribution": _rounded(float(contribution))}
            for part, columns, contribution in zip(
                parts["part"], parts["columns"], parts["contribution"], strict=True
            )
        ],
    }


def _finite(value: float) -> float | str:
    # JSON has no infinite numbers.
    return value if math.isfinite(value) else str(value)


def _rounded(value: float) -> float:
    """Return a float32 number with the digits that it has."""
    return float(f"{value:.7g}")
