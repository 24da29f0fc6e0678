"""The log-odds of a fusion network as a function of the embeddings of its modalities."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from multimodal_ensemble._layer_names import MODALITY_DROPOUT, SCORES
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.explanation._recorded_graph import RecordedGraph
from multimodal_ensemble.explanation._row_states import StateReader, less_each, read_with_scores
from multimodal_ensemble.explanation._shapley import MAX_EXACT, shapley_values
from multimodal_ensemble.fusion import fusion_parts
from multimodal_ensemble.generators import MultimodalDataset

N_BACKGROUND = 50


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkStates:
    """Embeddings of rows, and which modalities they have, by modality."""

    embeddings: dict[str, FloatArray]
    presences: dict[str, NDArray[np.bool_]]

    def take(self, rows: Any) -> NetworkStates:
        """Return some rows."""
        return NetworkStates(
            {name: values[rows] for name, values in self.embeddings.items()},
            {name: values[rows] for name, values in self.presences.items()},
        )

    def replace(self, other: NetworkStates, names: Collection[str]) -> NetworkStates:
        """Return these rows with some modalities of other rows."""
        return NetworkStates(
            self.embeddings | {name: other.embeddings[name] for name in names},
            self.presences | {name: other.presences[name] for name in names},
        )


class NetworkParts:
    """Splits the log-odds of a network among modalities by Shapley values.

    What an absent modality is depends on the training: the vector that the network learned for
    missing values if it is optional, zeros if the network was trained with dropout of whole
    modalities, and otherwise the embeddings of background rows, over which the log-odds are
    averaged.
    """

    def __init__(self, model: keras.Model, *, random_state: int) -> None:
        parts = fusion_parts(model)
        names = {layer.name for layer in model.layers}
        graph = RecordedGraph(model)
        self._graph = graph
        self.modalities = list(parts)
        self._random_state = random_state
        self._heads = {
            name: graph.returned[part.head.name] for name, part in parts.items() if part.head
        }
        self._has_backbone = {
            name: part.backbone is not None or part.seam is not None for name, part in parts.items()
        }
        self._learned = {
            name: np.asarray(part.or_missing.learned, dtype=np.float64)
            for name, part in parts.items()
            if part.or_missing is not None
        }
        self._absent: dict[str, FloatArray | None] = {}
        for name, tensor in self._heads.items():
            zeros = np.zeros(tensor.shape[-1]) if MODALITY_DROPOUT in names else None
            self._absent[name] = self._learned.get(name, zeros)
        # From embeddings to what the last layer takes, because log-odds of scores near 1 would be
        # inexact.
        last = model.get_layer(SCORES)
        embedded = {
            name: graph.returned[(part.or_missing or part.head).name]
            for name, part in parts.items()
            if part.head
        }
        # One embedding without dropout is what the last layer takes; a model needs a layer.
        joined = keras.layers.Activation("linear", dtype="float32")(graph.taken[SCORES])
        self._joined = keras.Model([*embedded.values()], joined)
        self._kernel, self._bias = (np.asarray(each, dtype=np.float64) for each in last.weights)
        self._is_softmax = last.activation is keras.activations.softmax
        self._background: NetworkStates | None = None
        self._readers: dict[str, StateReader] = {}

    @property
    def method(self) -> str:
        """How contributions are computed."""
        return "shapley" if len(self.modalities) <= MAX_EXACT else "sampled shapley"

    @property
    def needs_background(self) -> bool:
        """Whether a modality can only be absent by averaging over other rows."""
        return any(absent is None for absent in self._absent.values())

    def adopt_background(self, states: NetworkStates) -> Self:
        """Take the rows over which log-odds are averaged, at most `N_BACKGROUND` of them."""
        rng = np.random.default_rng(self._random_state)
        n_rows = len(next(iter(states.embeddings.values())))
        rows = np.sort(rng.choice(n_rows, size=min(N_BACKGROUND, n_rows), replace=False))
        self._background = states.take(rows)
        return self

    def read(self, dataset: MultimodalDataset) -> tuple[NDArray[np.float32], NetworkStates]:
        """Return the scores of the rows of a data set, and what the heads say about them."""
        scores, embeddings = read_with_scores(self._graph, self._heads, dataset)
        presences = {name: dataset.present(name) for name in self.modalities}
        return scores, self._with_missing(NetworkStates(embeddings, presences))

    def log_odds(self, states: NetworkStates, present: Collection[str] | None = None) -> FloatArray:
        """Return log-odds of shape ``(n, n_labels)``, perhaps of rows with fewer modalities."""
        if present is not None:
            return self._log_odds_of(states, present)
        inputs = [states.embeddings[name].astype(np.float32) for name in self._heads]
        joined = keras.ops.convert_to_numpy(self._joined(inputs, training=False))
        log_odds: FloatArray = joined.astype(np.float64) @ self._kernel + self._bias
        return _of_classes(log_odds) if self._is_softmax else log_odds

    def split(self, states: NetworkStates) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Return the log-odds without any modality, and what each modality adds to them."""

        def value(present: NDArray[np.bool_]) -> FloatArray:
            given = [self.modalities[position] for position in np.flatnonzero(present)]
            return self._log_odds_of(states, given)

        values = shapley_values(value, len(self.modalities), random_state=self._random_state)
        base = self._log_odds_of(states, [])
        return base, dict(zip(self.modalities, values, strict=True))

    def centre(self, name: str) -> FloatArray | None:
        """Return zeros, by which no part is changed; None if encoded rows are no vectors."""
        tensor = self._graph.inputs[name]
        has_backbone = self._has_backbone[name]
        return None if has_backbone or len(tensor.shape) != 2 else np.zeros(tensor.shape[1])

    def weigh(
        self, states: NetworkStates, owners: NDArray[np.intp], name: str, vectors: FloatArray
    ) -> FloatArray:
        """Return the fall in log-odds if each part of the encoded values of rows is set to 0.

        `owners` are the rows of the parts.
        """
        return self.fall(states, owners, {name: less_each(vectors, owners).astype(np.float32)})

    def fall(
        self, states: NetworkStates, owners: Any, inputs: Mapping[str, NDArray[Any]]
    ) -> FloatArray:
        """Return the fall in log-odds if rows have other encoded values.

        `inputs` has as many encoded values for each of some modalities, and `owners` are the rows
        that have them, or one row.
        """
        n_values = len(next(iter(inputs.values())))
        if not n_values:
            return np.zeros((0, len(self._bias)))
        copies = states.take(np.broadcast_to(owners, n_values))
        embeddings = dict(copies.embeddings)
        for name in inputs:
            embeddings |= self._reader(name).read_rows(inputs)
        changed = NetworkStates(embeddings, copies.presences)
        return self.log_odds(copies) - self.log_odds(changed)

    def is_missing(self, states: NetworkStates, name: str) -> NDArray[np.bool_]:
        """Return in which rows a modality is missing."""
        return ~states.presences[name]

    def _reader(self, name: str) -> StateReader:
        if name not in self._readers:
            tensors = {name: self._heads[name]}
            self._readers[name] = StateReader(self._graph, tensors, [name])
        return self._readers[name]

    def _log_odds_of(self, states: NetworkStates, present: Collection[str]) -> FloatArray:
        """Return the log-odds of rows that have only some of their modalities."""
        absent = [name for name in self.modalities if name not in present]
        if all(self._absent[name] is not None for name in absent):
            return self.log_odds(self._replace(states, {n: self._absent[n] for n in absent}))
        background = self._background or states
        n_background = len(next(iter(background.embeddings.values())))
        total: Any = 0.0
        for row in range(n_background):
            others = {
                name: background.embeddings[name][row]
                if self._absent[name] is None
                else self._absent[name]
                for name in absent
            }
            total = total + self.log_odds(self._replace(states, others))
        mean: FloatArray = total / n_background
        return mean

    def _replace(self, states: NetworkStates, others: Mapping[str, Any]) -> NetworkStates:
        replaced = {
            name: np.broadcast_to(others[name], values.shape) if name in others else values
            for name, values in states.embeddings.items()
        }
        return NetworkStates(replaced, states.presences)

    def _with_missing(self, states: NetworkStates) -> NetworkStates:
        embeddings = {
            name: np.where(states.presences[name][:, np.newaxis], values, self._learned[name])
            if name in self._learned
            else values
            for name, values in states.embeddings.items()
        }
        return NetworkStates(embeddings, states.presences)


def _of_classes(logits: FloatArray) -> FloatArray:
    """Return the log-odds of each class against all others, from what a softmax takes."""
    others = np.stack(
        [logsumexp(np.delete(logits, label, axis=1), axis=1) for label in range(logits.shape[1])],
        axis=1,
    )
    log_odds: FloatArray = logits - others
    return log_odds
