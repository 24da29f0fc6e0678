"""What layers of a model say about rows, computed batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._graphs import predict_batch
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.explanation._recorded_graph import RecordedGraph
from multimodal_ensemble.generators import MultimodalDataset

# Rows of vectors, and other rows such as images.
_ROWS_PER_CALL, _ITEMS_PER_CALL = 1024, 32
# No layer has an empty name.
_OUTPUT = ""


class StateReader:
    """Reads tensors of a model for rows.

    Parameters
    ----------
    graph : RecordedGraph
        Of the model, or of its part behind the backbones whose features are stored.
    tensors : mapping of str to keras.KerasTensor of shape (None, size)
        What is read, by name.
    inputs : iterable of str, optional
        Names of the inputs that the tensors depend on. Default: all.
    """

    def __init__(
        self,
        graph: RecordedGraph,
        tensors: Mapping[str, keras.KerasTensor],
        inputs: Iterable[str] | None = None,
    ) -> None:
        given = graph.inputs
        taken = given if inputs is None else {name: given[name] for name in inputs if name in given}
        self._sizes = {name: int(tensor.shape[-1]) for name, tensor in tensors.items()}
        # As one tensor, because one call then returns one array. Names that Keras chooses are
        # unique only within a thread, and the model may have been built in another.
        cast = [
            keras.layers.Activation("linear", dtype="float32", name=f"explained_{number}")(tensor)
            for number, tensor in enumerate(tensors.values())
        ]
        join = keras.layers.Concatenate(dtype="float32", name="explained")
        joined = cast[0] if len(cast) == 1 else join(cast)
        self._model = keras.Model(taken, joined)

    def read(self, dataset: MultimodalDataset) -> dict[str, FloatArray]:
        """Return float64 arrays of shape ``(n, size)`` by name, for all rows of a data set."""
        step = _ROWS_PER_CALL if dataset.has_vectors_only else _ITEMS_PER_CALL
        starts = range(0, dataset.n_samples, step)
        rows = [np.arange(start, min(start + step, dataset.n_samples)) for start in starts]
        return self._split(self._call(dataset.encode_rows(part)) for part in rows)

    def read_rows(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
        """Return the same for encoded rows by input."""
        taken = [inputs[tensor.name] for tensor in self._model.inputs]
        step = _ROWS_PER_CALL if all(each.ndim == 2 for each in taken) else _ITEMS_PER_CALL
        return self._split(
            self._call({name: rows[at : at + step] for name, rows in inputs.items()})
            for at in range(0, len(taken[0]), step)
        )

    def _call(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        taken = {tensor.name: inputs[tensor.name] for tensor in self._model.inputs}
        if all(rows.ndim == 2 for rows in taken.values()):
            # Tracing a graph takes longer than a few calls.
            returned = self._model(taken, training=False)
        else:
            returned = predict_batch(self._model, taken)
        values: NDArray[Any] = keras.ops.convert_to_numpy(returned)
        return values

    def _split(self, batches: Iterable[NDArray[Any]]) -> dict[str, FloatArray]:
        ends = np.cumsum(list(self._sizes.values()))[:-1]
        parts = np.split(np.concatenate([*batches]).astype(np.float64), ends, axis=1)
        return dict(zip(self._sizes, parts, strict=True))


def read_with_scores(
    graph: RecordedGraph, tensors: Mapping[str, keras.KerasTensor], dataset: MultimodalDataset
) -> tuple[NDArray[np.float32], dict[str, FloatArray]]:
    """Return the scores of all rows of a data set, and tensors by name, from the same pass."""
    read = StateReader(graph, {**tensors, _OUTPUT: graph.output}).read(dataset)
    return read.pop(_OUTPUT).astype(np.float32), read


def less_each(vectors: FloatArray, owners: NDArray[np.intp]) -> FloatArray:
    """Return for each part of a row the sum of all parts of the row, less this part."""
    _, place = np.unique(owners, return_inverse=True)
    sums = np.zeros((place.max(initial=-1) + 1, vectors.shape[1]))
    np.add.at(sums, place, vectors)
    rest: FloatArray = sums[place] - vectors
    return rest
