"""What a `TextEncoder` is made of: a network, its weights and a tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
from numpy.typing import NDArray

from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble.encoders._hub_tokenizer import HubTokenizer
from multimodal_ensemble.encoders._json_tokenizer import JsonTokenizer
from multimodal_ensemble.encoders._keras_hub import check_network, import_keras_hub
from multimodal_ensemble.exceptions import WeightsUnavailableError
from multimodal_ensemble.saving import load_object

Tokenizer: TypeAlias = JsonTokenizer | HubTokenizer

POOLINGS = ("mean", "cls", "max", "last")


@dataclass(frozen=True)
class TextSource:
    """A network of token ids, with what it was trained with."""

    # What Keras needs to build the network; its outputs are the vectors of the tokens.
    config: dict[str, Any]
    # None where they are to be read from the path of the backbone.
    weights: list[NDArray[Any]] | None
    tokenizer: Tokenizer
    pooling: str
    max_length: int
    # The length of the longest text that the network can take, if it has a limit.
    limit: int | None = None

    def build_network(self, *, modality: str) -> keras.Model:
        """Return a new network with the weights."""
        import_keras_hub()
        # The initial weights are replaced.
        with seeded_layers(0):
            network: keras.Model = load_object(self.config, where=f"The network of {modality!r}")
        if self.weights is None:
            msg = f"The network of {modality!r} has no weights."
            raise WeightsUnavailableError(msg)
        shapes = [tuple(weight.shape) for weight in network.weights]
        if [weight.shape for weight in self.weights] != shapes:
            msg = (
                f"The weights for {modality!r} are those of another network than its backbone. "
                "Pass weights=... of the network that the encoder was made with."
            )
            raise WeightsUnavailableError(msg)
        network.set_weights(self.weights)
        # The backbone decides which layers are frozen. TensorFlow ignores an attribute that is set
        # to the value that it has, so this takes two steps.
        network.trainable = False
        network.trainable = True
        return network

    def get_state(self) -> dict[str, Any]:
        """Return all but the weights, for a saved file."""
        return {
            "network": json.dumps(self.config),
            "tokenizer": self.tokenizer.get_state(),
            "pooling": self.pooling,
            "max_length": self.max_length,
            "limit": self.limit,
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], weights: list[NDArray[Any]] | None, *, modality: str
    ) -> TextSource:
        """Return a source from what `get_state` returned, without reading any other file."""
        config = json.loads(state["network"])
        check_network(config, weights, where=f"The network of {modality!r}")
        return cls(
            config=config,
            weights=weights,
            tokenizer=_restore_tokenizer(state["tokenizer"], modality=modality),
            pooling=str(state["pooling"]),
            max_length=int(state["max_length"]),
            limit=state["limit"],
        )


def _restore_tokenizer(state: Mapping[str, Any], *, modality: str) -> Tokenizer:
    if "json" in state:
        return JsonTokenizer(state["json"])
    return HubTokenizer.from_state(state, where=f"The tokenizer of {modality!r}")
