"""From the rows of a data set to their explanation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import SCORES
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.encoders import Encoder, present_values
from multimodal_ensemble.explanation._explanation import REST, Explanation
from multimodal_ensemble.explanation._late_fusion_parts import LateFusionParts
from multimodal_ensemble.explanation._network_parts import N_BACKGROUND, NetworkParts
from multimodal_ensemble.fusion import LateFusion, feature_model
from multimodal_ensemble.generators import MultimodalDataset

# Parts of rows are split together while their vectors hold about as many numbers.
_NUMBERS_PER_CHUNK = 2**21
_PARTS_PER_ROW = 8


@dataclasses.dataclass(frozen=True, eq=False)
class _Parts:
    """The parts of one modality in the rows that have it, and what each adds to the log-odds."""

    rows: list[int]
    names: list[list[str]]
    # Of shape (n_parts, n_labels), one row after another.
    values: FloatArray


def explain_rows(
    model: keras.Model,
    dataset: MultimodalDataset,
    *,
    y_score: NDArray[Any],
    classes: Sequence[Any],
    prior: FloatArray,
    shown: Sequence[int],
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
    y_score : array of shape (n_rows, n_labels)
        The scores of the rows.
    classes : sequence of length n_labels
        The labels.
    prior : array of shape (n_labels,)
        Log-odds of the labels' shares of the training rows.
    shown : sequence of int
        Positions of the labels that are explained.
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
    >>> from multimodal_ensemble import (
    ...     DenseEncoder, MultimodalDataset, fuse_encoders, predict_scores)
    >>> from multimodal_ensemble.explanation import explain_rows
    >>> year = DenseEncoder("year").fit([1977, 1997])
    >>> model = fuse_encoders([year], n_labels=2)
    >>> rows = MultimodalDataset({"year": [2001, 2002]}, [year])
    >>> explanation = explain_rows(
    ...     model, rows, y_score=predict_scores(model, rows), classes=["Drama", "War"],
    ...     prior=np.zeros(2), shown=[1], rows=[0, 1])
    >>> explanation
    Explanation(2 rows, 1 label, shapley)
    """
    parts: Any = parts_of(model, dataset, random_state)
    states = parts.read(dataset)
    if isinstance(parts, NetworkParts) and parts.needs_background:
        parts.adopt_background(_read_background(model, states, len(rows), background, random_state))
    base, contributions = parts.split(states)
    log_odds = base + sum(contributions.values())
    labels, positions = [classes[position] for position in shown], list(shown)
    encoders = [(each.name, ", ".join(map(str, each.columns))) for each in dataset.encoders]
    added = np.stack([contributions[name] for name, _ in encoders], axis=1)
    missing = np.stack([parts.is_missing(states, name) for name, _ in encoders], axis=1)
    scores = {
        "score": y_score[:, positions].ravel(),
        "log_odds": log_odds[:, positions].ravel(),
        "base": base[:, positions].ravel(),
        "prior": np.tile(prior[positions], len(rows)),
    }
    modalities = {
        "modality": [name for name, _ in encoders for _ in labels] * len(rows),
        "columns": [columns for _, columns in encoders for _ in labels] * len(rows),
        "contribution": added[:, :, positions].ravel(),
        "is_missing": np.repeat(missing.ravel(), len(labels)),
    }
    by_kind: dict[str, list[tuple[Encoder, _Parts]]] = {"token": [], "column": []}
    for encoder in dataset.encoders:
        if (found := _split_rows(parts, states, encoder, dataset)) is not None:
            kind = "column" if encoder.part_kind == "column" else "token"
            by_kind[kind].append((encoder, _with_rest(found, contributions[encoder.name])))
    each_row = [row for row in rows for _ in labels]
    each_modality = [row for row in rows for _ in encoders for _ in labels]
    return Explanation(
        pd.DataFrame({"row": each_row, "label": labels * len(rows), **scores}),
        pd.DataFrame({"row": each_modality, "label": labels * added[:, :, 0].size, **modalities}),
        _part_table(by_kind["token"], "token", rows, labels, positions),
        _part_table(by_kind["column"], "column", rows, labels, positions),
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
        return parts_of(model, dataset, random_state).read(dataset)
    if n_rows == 1:
        msg = (
            "A single row cannot stand for its own absent modalities, and the network was trained "
            "with neither optional modalities nor modality_dropout. Pass background=, rows like "
            "those of the training, such as 50 of these."
        )
        raise ValueError(msg)
    return states


def _with_rest(found: _Parts, contributions: FloatArray) -> _Parts:
    """Return parts with one more in each row: what they leave of the modality."""
    ends = np.cumsum([len(names) for names in found.names])[:-1]
    each = [
        np.vstack([values, contributions[row] - values.sum(axis=0)])
        for row, values in zip(found.rows, np.split(found.values, ends), strict=True)
    ]
    return _Parts(found.rows, [[*names, REST] for names in found.names], np.vstack(each))


def _part_table(
    found: Sequence[tuple[Encoder, _Parts]],
    kind: str,
    rows: Sequence[Any],
    labels: Sequence[Any],
    positions: Sequence[int],
) -> pd.DataFrame:
    """Return one table of the parts of all modalities, in the order of the rows."""
    listed = [
        (row, encoder.name, ", ".join(map(str, encoder.columns)), name)
        for encoder, parts in found
        for row, names in zip(parts.rows, parts.names, strict=True)
        for name in names
    ]
    order = sorted(range(len(listed)), key=lambda at: listed[at][0])
    each = [listed[at] for at in order for _ in labels]
    values = [parts.values[:, positions] for _, parts in found]
    return pd.DataFrame(
        {
            "row": [rows[row] for row, *_ in each],
            "label": list(labels) * len(order),
            "modality": [modality for _, modality, *_ in each],
            "columns": [columns for *_, columns, _ in each],
            kind: [name for *_, name in each],
            "contribution": np.vstack(values)[order].ravel() if values else [],
        }
    )


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
    parts: Any, states: Any, encoder: Encoder, dataset: MultimodalDataset
) -> _Parts | None:
    """Return the parts of a modality in each row that has it; None if it has no parts."""
    given, present = present_values(encoder, encoder.select(dataset.raw))
    values = given.iloc if hasattr(given, "iloc") else given
    rows = np.flatnonzero(present)
    centre = parts.centre(encoder.name)
    if not len(rows):
        return None
    names: list[list[str]] = []
    found: list[FloatArray] = []
    if centre is not None and encoder.additive_parts(values[:1], centre) is not None:
        step = max(1, _NUMBERS_PER_CHUNK // (_PARTS_PER_ROW * len(centre)))
        for start in range(0, len(rows), step):
            split: Any = encoder.additive_parts(values[start : start + step], centre)
            names += [each for each, _ in split]
            owners = np.repeat(rows[start : start + step], [len(each) for each, _ in split])
            vectors = np.vstack([each for _, each in split])
            found.append(parts.weigh(states, owners, encoder.name, vectors))
        return _Parts(rows.tolist(), names, np.vstack(found))
    for position, row in enumerate(rows.tolist()):
        without = encoder.without_each_part(values[position])
        if without is None:
            return None
        names.append(without[0])
        inputs = _encode_variants(encoder, without[1], dataset)
        found.append(parts.fall(states, row, inputs))
    return _Parts(rows.tolist(), names, np.vstack(found))


def _encode_variants(
    encoder: Encoder, variants: Sequence[Any], dataset: MultimodalDataset
) -> Mapping[str, NDArray[Any]]:
    """Return features or encoded rows of variants of a value."""
    inputs = encoder.encode(encoder.prepare(variants))
    frozen = encoder.frozen_part() if encoder.name in dataset.features else None
    if frozen is not None:
        inputs = keras.ops.convert_to_numpy(frozen(inputs, training=False))
    return {encoder.name: inputs}
