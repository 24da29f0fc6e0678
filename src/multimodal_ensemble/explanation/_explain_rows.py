"""From the rows of a data set to their explanation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._encoder_calls import (
    checked_additive_parts,
    checked_encode,
    checked_prepare,
    checked_without_each_part,
)
from multimodal_ensemble._layer_names import SCORES
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.encoders import Encoder, present_values
from multimodal_ensemble.explanation._explanation import REST, Explanation
from multimodal_ensemble.explanation._late_fusion_parts import LateFusionParts
from multimodal_ensemble.explanation._network_parts import N_BACKGROUND, NetworkParts
from multimodal_ensemble.fusion import LateFusion, feature_model
from multimodal_ensemble.generators import MultimodalDataset

# Names of parts, and what each adds to the log-odds, of shape (n_parts, n_labels).
_Named = tuple[list[str], FloatArray]
# Parts of rows are weighed together while their vectors hold about as many numbers.
_NUMBERS_PER_CHUNK = 2**21
_PARTS_PER_ROW = 8


def explain_rows(
    model: keras.Model,
    dataset: MultimodalDataset,
    *,
    classes: Sequence[Any],
    prior: FloatArray,
    shown: Sequence[int] | Callable[[NDArray[np.float32]], Sequence[int]],
    rows: Sequence[Any],
    background: Callable[[int], MultimodalDataset] | None = None,
    random_state: int = 0,
) -> Explanation:
    """Return what the scores of rows rest on.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders` or `fuse_late`.
    dataset : MultimodalDataset
        The rows, encoded by the fitted encoders of the model.
    classes : sequence of length n_labels
        The labels.
    prior : array of shape (n_labels,)
        Log-odds of the labels' shares of the training rows.
    shown : sequence of int, or callable
        Positions of the labels that are explained, or a function that takes the scores of all
        labels and returns them.
    rows : sequence of length n_rows
        Names of the rows.
    background : callable, optional
        Takes a number, and returns a data set of at most so many rows, which stand for absent
        modalities. It is called only if they are needed. Default: the explained rows.
    random_state : int, default=0
        Seeds the choice of background rows, and of orders of many modalities.

    Returns
    -------
    Explanation
        The explanation.

    See Also
    --------
    Explanation : What the contributions are.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble import DenseEncoder, MultimodalDataset, fuse_encoders
    >>> from multimodal_ensemble.explanation import explain_rows
    >>> year = DenseEncoder("year").fit([1977, 1997])
    >>> model = fuse_encoders([year], n_labels=2)
    >>> rows = MultimodalDataset({"year": [2001, 2002]}, [year])
    >>> explanation = explain_rows(
    ...     model, rows, classes=["Drama", "War"], prior=np.zeros(2), shown=[1],
    ...     rows=[0, 1])
    >>> explanation
    Explanation(2 rows, 1 label, shapley)
    """
    parts: Any = parts_of(model, dataset, random_state)
    scores, states = parts.read(dataset)
    if isinstance(parts, NetworkParts) and parts.needs_background:
        parts.adopt_background(_read_background(model, states, len(rows), background, random_state))
    base, contributions = parts.split(states)
    log_odds = base + sum(contributions.values())
    table = _Table(rows, classes, shown(scores) if callable(shown) else shown)
    modalities, by_kind = _Collected(), {"token": _Collected(), "column": _Collected()}
    for encoder in dataset.encoders:
        name, columns = encoder.name, ", ".join(map(str, encoder.columns))
        is_missing = parts.is_missing(states, name)
        for row, value in enumerate(contributions[name]):
            modalities.add(row, [(name, columns, bool(is_missing[row]))], value[np.newaxis])
        collected = by_kind["column" if encoder.part_kind == "column" else "token"]
        n_labels = contributions[name].shape[1]
        found = _split_rows(parts, states, encoder, dataset, n_labels)
        for row, (names, values) in found.items():
            rest = contributions[name][row] - values.sum(axis=0)
            named = [(name, columns, part) for part in [*names, REST]]
            collected.add(row, named, np.vstack([values, rest]))
    numbers = np.arange(len(rows))
    return Explanation(
        table.make(numbers, {}, score=scores, log_odds=log_odds, base=base, prior=prior),
        modalities.make(table, ("modality", "columns", "is_missing")),
        by_kind["token"].make(table, ("modality", "columns", "token")),
        by_kind["column"].make(table, ("modality", "columns", "column")),
        parts.method,
    )


def _read_background(
    model: keras.Model,
    states: Any,
    n_rows: int,
    background: Callable[[int], MultimodalDataset] | None,
    random_state: int,
) -> Any:
    """Return the states of the rows that stand for absent modalities."""
    if background is not None:
        dataset = background(N_BACKGROUND)
        _, states = parts_of(model, dataset, random_state).read(dataset)
    elif n_rows == 1:
        msg = (
            "A single row cannot stand for its own absent modalities, and the network was trained "
            "with neither optional modalities nor modality_dropout. Pass background=, rows like "
            "those of the training, such as 50 of these."
        )
        raise ValueError(msg)
    return states


class _Table:
    """Makes tidy tables with one row per entry and label."""

    def __init__(self, rows: Sequence[Any], classes: Sequence[Any], shown: Sequence[int]) -> None:
        self._rows = rows
        self._shown = list(shown)
        self._labels = [classes[position] for position in shown]

    def make(
        self, rows: NDArray[np.intp], columns: Mapping[str, Sequence[Any]], **values: Any
    ) -> pd.DataFrame:
        """Return a table, from a row number and texts per entry, and values of all labels."""
        n_labels = len(self._labels)
        names = [self._rows[row] for row in rows.tolist()]
        table: dict[str, Any] = {
            "row": [name for name in names for _ in range(n_labels)],
            "label": self._labels * len(names),
        }
        for column, texts in columns.items():
            table[column] = [text for text in texts for _ in range(n_labels)]
        for column, value in values.items():
            shape = (len(names), np.shape(value)[-1])
            table[column] = np.broadcast_to(value, shape)[:, self._shown].ravel()
        return pd.DataFrame(table)


class _Collected:
    """Contributions of parts, in any order of the rows."""

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._texts: list[tuple[Any, ...]] = []
        self._values: list[FloatArray] = []

    def add(self, row: int, texts: Sequence[tuple[Any, ...]], values: FloatArray) -> None:
        """Add the parts of a row, with an array of shape ``(n_parts, n_labels)``."""
        self._rows += [row] * len(texts)
        self._texts += texts
        self._values.append(values)

    def make(self, table: _Table, names: tuple[str, ...]) -> pd.DataFrame:
        """Return a table in the order of the rows; the texts have these names."""
        order = np.argsort(self._rows, kind="stable").astype(np.intp)
        columns = {
            name: [self._texts[place][position] for place in order.tolist()]
            for position, name in enumerate(names)
        }
        if not self._values:
            return pd.DataFrame(columns=["row", "label", *names, "contribution"])
        rows = np.array(self._rows, dtype=np.intp)[order]
        values = np.concatenate(self._values)[order]
        return table.make(rows, columns, contribution=values)


def parts_of(
    model: keras.Model, dataset: MultimodalDataset | None, random_state: int
) -> LateFusionParts | NetworkParts:
    """Return what splits log-odds, from the inputs that a data set has, or from raw inputs."""
    if dataset is not None and dataset.features:
        model = feature_model(model, list(dataset.features))
    if isinstance(model.get_layer(SCORES), LateFusion):
        return LateFusionParts(model)
    return NetworkParts(model, random_state=random_state)


def _split_rows(
    parts: Any, states: Any, encoder: Encoder, dataset: MultimodalDataset, n_labels: int
) -> dict[int, _Named]:
    """Return the parts of a modality in each row that has parts."""
    given, present = present_values(encoder, encoder.select(dataset.raw))
    values = given.iloc if hasattr(given, "iloc") else given
    rows = np.flatnonzero(present)
    centre = parts.centre(encoder.name)
    found: dict[int, _Named] = {}
    if not len(rows):
        return found
    if (
        centre is not None
        and checked_additive_parts(encoder, values[:1], centre, rows[:1]) is not None
    ):
        step = max(1, _NUMBERS_PER_CHUNK // (_PARTS_PER_ROW * len(centre)))
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            of_chunk = values[start : start + step]
            split: Any = checked_additive_parts(encoder, of_chunk, centre, chunk)
            n_parts = [len(names) for names, _ in split]
            vectors = np.vstack([each for _, each in split])
            weighed = parts.weigh(states, np.repeat(chunk, n_parts), encoder.name, vectors)
            of_rows = np.split(weighed, np.cumsum(n_parts)[:-1])
            for row, (names, _), added in zip(chunk.tolist(), split, of_rows, strict=True):
                found[row] = names, added
        return found
    for position, row in enumerate(rows.tolist()):
        without = checked_without_each_part(encoder, values[position], row=row)
        if without is None:
            continue
        names, variants = without
        found[row] = names, np.zeros((0, n_labels))
        if len(names):
            inputs = _encode_variants(encoder, variants, dataset)
            found[row] = names, parts.fall(states, row, inputs)
    return found


def _encode_variants(
    encoder: Encoder, variants: Sequence[Any], dataset: MultimodalDataset
) -> Mapping[str, NDArray[Any]]:
    """Return features or encoded rows of variants of a value."""
    inputs = checked_encode(encoder, checked_prepare(encoder, variants))
    frozen = encoder.frozen_part() if encoder.name in dataset.features else None
    if frozen is not None:
        inputs = keras.ops.convert_to_numpy(frozen(inputs, training=False))
    return {encoder.name: inputs}
