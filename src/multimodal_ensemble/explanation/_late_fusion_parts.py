"""The log-odds of a late fusion as a sum over its modalities."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import (
    SCORES,
    head_name,
    member_name,
    radial_name,
    spoken_name,
    standardized_name,
)
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.explanation._recorded_graph import RecordedGraph
from multimodal_ensemble.explanation._row_states import StateReader, less_each, read_with_scores
from multimodal_ensemble.fusion import LateFusion, TokenCount, fuse_evidence
from multimodal_ensemble.generators import MultimodalDataset

_SCORED, _COUNT = "scored of ", "count of "


@dataclasses.dataclass(frozen=True, eq=False)
class LateFusionStates:
    """What the layers of a late fusion say about rows."""

    # Scaled features of each modality, its radial features, or the log-odds of a scored member.
    features: dict[str, FloatArray]
    # 1 where a row has a modality that says something, of shape (n, 1), by modality.
    spoken: dict[str, FloatArray]
    # Which rows have a modality, by modality.
    presences: dict[str, NDArray[np.bool_]]
    # Numbers of tokens, of shape (n, 1), by modality.
    counts: dict[str, FloatArray]

    def take(self, rows: Any) -> LateFusionStates:
        """Return some rows."""
        return LateFusionStates(*({k: v[rows] for k, v in part.items()} for part in self._parts))

    def replace(self, other: LateFusionStates, names: Collection[str]) -> LateFusionStates:
        """Return these rows with some modalities of other rows."""
        features = {
            key: (other if _modality_of(key) in names else self).features[key]
            for key in self.features
        }
        return LateFusionStates(
            features,
            *(
                ours | {name: theirs[name] for name in names if name in ours}
                for ours, theirs in zip(self._parts[1:], other._parts[1:], strict=True)
            ),
        )

    @property
    def _parts(self) -> list[dict[str, Any]]:
        return [self.features, self.spoken, self.presences, self.counts]


class LateFusionParts:
    """Splits the log-odds of a late fusion among modalities, exactly.

    The evidence of a row is a weighted sum of linear models, so that each modality has its own
    terms. Radial features belong to the modality that they are computed from. The intercept of a
    member is divided equally among the modalities of the member that the row has.
    """

    method = "exact"

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._graph = RecordedGraph(model)
        fusion: Any = model.get_layer(SCORES)
        self._fusion: LateFusion = fusion
        self.modalities = list(fusion.modalities)
        self._members = fusion.members
        weights = [fusion.member_slope, fusion.member_intercept, fusion.slope, fusion.intercept]
        self._member_slope, self._member_intercept, self._slope, self._intercept = (
            np.asarray(each, dtype=np.float64) for each in weights
        )
        self._exponent = (
            np.asarray(fusion.exponent, dtype=np.float64)
            if fusion.counts_tokens
            else np.zeros(len(self._members))
        )
        self._tensors: dict[str, keras.KerasTensor] = {}
        self._readers: dict[str, StateReader] = {}
        # The kernel rows of each member by what they are multiplied with.
        self._kernels: list[dict[str, FloatArray]] = []
        for position, member in enumerate(self._members):
            if member.is_scored:
                (name,) = member.encoders
                self._tensors[_SCORED + name] = self._graph.taken[SCORES][position]
                self._kernels.append({})
                continue
            taken = [head_name(name) for name in member.encoders]
            taken += [radial_name(name) for name in member.radial]
            tensors = {name: self._graph.returned[name] for name in taken}
            self._tensors |= tensors
            (kernel,) = model.get_layer(member_name(member.name)).get_weights()
            ends = np.cumsum([tensor.shape[-1] for tensor in tensors.values()])[:-1]
            parts = np.split(kernel.astype(np.float64), ends)
            self._kernels.append(dict(zip(tensors, parts, strict=True)))

    def read(self, dataset: MultimodalDataset) -> tuple[NDArray[np.float32], LateFusionStates]:
        """Return the scores of the rows of a data set, and what the layers say about them."""
        spoken = {spoken_name(name): self._layer(spoken_name(name)) for name in self.modalities}
        counts = {}
        if self._fusion.counts_tokens:
            bags = self._graph.taken[self._graph.taken[SCORES][-1]._keras_history.operation.name]
            names = [encoder.name for encoder in dataset.encoders if encoder.values_are_tokens]
            bags = bags if isinstance(bags, list) else [bags]
            counts = {
                _COUNT + name: TokenCount(dtype="float32", name=f"explained_count_{number}")([bag])
                for number, (name, bag) in enumerate(zip(names, bags, strict=True))
            }
        tensors = {**self._tensors, **spoken, **counts}
        scores, read = read_with_scores(self._graph, tensors, dataset)
        return scores, LateFusionStates(
            {name: read[name] for name in self._tensors},
            {name: read[spoken_name(name)] for name in self.modalities},
            {name: dataset.present(name) for name in self.modalities},
            {name: read[_COUNT + name] for name in self.modalities if _COUNT + name in read},
        )

    def log_odds(
        self, states: LateFusionStates, present: Collection[str] | None = None
    ) -> FloatArray:
        """Return log-odds of shape ``(n, n_labels)``, perhaps of rows with fewer modalities."""
        if present is not None:
            absent = [name for name in self.modalities if name not in present]
            nothing = LateFusionStates(
                states.features,
                {name: np.zeros_like(values) for name, values in states.spoken.items()},
                {name: np.zeros_like(values) for name, values in states.presences.items()},
                {name: np.zeros_like(values) for name, values in states.counts.items()},
            )
            states = states.replace(nothing, absent)
        base, parts = self.split(states)
        return base + sum(parts.values())

    def split(self, states: LateFusionStates) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Return the log-odds without any modality, and what each modality adds to them."""
        n_rows = len(next(iter(states.spoken.values())))
        base = np.broadcast_to(self._intercept, (n_rows, len(self._intercept)))
        factors = self._member_factors(states)
        return base, {n: self._contribution(states, n, factors) for n in self.modalities}

    def _contribution(
        self, states: LateFusionStates, name: str, factors: Sequence[FloatArray]
    ) -> FloatArray:
        """Return what one modality adds to the log-odds, of shape ``(n, n_labels)``."""
        here = states.spoken[name]
        total: FloatArray = np.zeros((len(here), len(self._intercept)))
        for position, member in enumerate(self._members):
            if name not in member.takes:
                continue
            slope = self._slope * self._member_slope[position]
            if member.is_scored:
                values = states.features[_SCORED + name]
            else:
                kernels = self._kernels[position]
                keys = [key for key in (head_name(name), radial_name(name)) if key in kernels]
                values = here * sum(states.features[key] @ kernels[key] for key in keys)
            n_here = sum(states.spoken[other] for other in member.takes)
            intercept = self._slope * self._member_intercept[position]
            share = here / np.maximum(n_here, 1)
            total = total + factors[position] * (slope * values + intercept * share)
        return total

    def centre(self, name: str) -> FloatArray | None:
        """Return the mean by which encoded values of a modality are centred.

        None if its features are no encoded values.
        """
        is_linear = head_name(name) in self._tensors and not self._has_layer(
            standardized_name(name)
        )
        return np.asarray(self._head(name).mean, dtype=np.float64) if is_linear else None

    def weigh(
        self, states: LateFusionStates, owners: NDArray[np.intp], name: str, vectors: FloatArray
    ) -> FloatArray:
        """Return what parts of the centred, encoded values of rows add to their log-odds.

        `owners` are the rows of the parts. With radial features, it is the fall if a part is set
        to its mean.
        """
        if radial_name(name) in self._tensors:
            mean = np.asarray(self._head(name).mean, dtype=np.float64)
            rest = mean + less_each(vectors, owners)
            return self.fall(states, owners, {name: rest.astype(np.float32)})
        scaled = vectors / np.asarray(self._head(name).scale, dtype=np.float64)
        total: FloatArray = np.zeros((len(vectors), len(self._intercept)))
        factors = self._member_factors(states)
        for position, kernels in enumerate(self._kernels):
            if head_name(name) in kernels:
                factor = (factors[position] * states.spoken[name])[owners]
                slope = self._slope * self._member_slope[position]
                total += factor * slope * (scaled @ kernels[head_name(name)])
        return total

    def fall(
        self, states: LateFusionStates, owners: Any, inputs: Mapping[str, NDArray[Any]]
    ) -> FloatArray:
        """Return the fall in log-odds if rows have other encoded values.

        `inputs` has as many encoded values for each of some modalities, and `owners` are the rows
        that have them, or one row. What the members of a row count stays the same.
        """
        n_values = len(next(iter(inputs.values())))
        used = {key: each for key, each in states.features.items() if _modality_of(key) in inputs}
        # Bags of all modalities would take much memory.
        copies = dataclasses.replace(states, features=used).take(np.broadcast_to(owners, n_values))
        features = dict(copies.features)
        for name in inputs:
            features |= self._reader(name).read_rows(inputs)
        changed = dataclasses.replace(copies, features=features)
        factors = self._member_factors(copies)
        falls = [
            self._contribution(copies, name, factors) - self._contribution(changed, name, factors)
            for name in inputs
        ]
        total: FloatArray = np.sum(falls, axis=0)
        return total

    def is_missing(self, states: LateFusionStates, name: str) -> NDArray[np.bool_]:
        """Return in which rows a modality is missing, or says nothing."""
        is_silent: NDArray[np.bool_] = states.spoken[name][:, 0] == 0
        return is_silent | ~states.presences[name]

    def _reader(self, name: str) -> StateReader:
        if name not in self._readers:
            keys = [key for key in (head_name(name), radial_name(name)) if key in self._tensors]
            tensors = {key: self._tensors[key] for key in keys}
            self._readers[name] = StateReader(self._graph, tensors, [name])
        return self._readers[name]

    def _head(self, name: str) -> Any:
        return self._model.get_layer(head_name(name))

    def _has_layer(self, name: str) -> bool:
        return name in self._graph.returned

    def _layer(self, name: str) -> keras.KerasTensor:
        tensor: keras.KerasTensor = self._graph.returned[name]
        return tensor

    def _member_factors(self, states: LateFusionStates) -> list[FloatArray]:
        """Return how much a unit of each member's log-odds adds, of shape ``(n, 1)`` each."""
        presences = [member.presence(dict(states.spoken)) for member in self._members]
        amount: Any = 0.0
        if self._fusion.counts_tokens:
            count = np.sum(list(states.counts.values()), axis=0).astype(np.float32)
            amount = np.asarray(self._fusion.token_amount(count), dtype=np.float64)
        factors = []
        for position in range(len(self._members)):
            units = [np.zeros_like(presence) for presence in presences]
            units[position] = np.ones_like(presences[position])
            evidence = fuse_evidence(self._members, units, presences)
            factors.append(evidence * np.exp(self._exponent[position] * amount))
        return factors


def _modality_of(key: str) -> str:
    """Return the modality that an entry of the features belongs to."""
    for suffix in (head_name(""), radial_name("")):
        if key.endswith(suffix):
            # Only one, because the name of a modality may end like that as well.
            return key.removesuffix(suffix)
    return key.removeprefix(_SCORED)
