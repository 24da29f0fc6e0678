"""The backbone of an encoder of texts: built once, fine-tuned, copied, saved and restored."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import keras
from sklearn.base import clone

from multimodal_ensemble._layer_names import backbone_name
from multimodal_ensemble.encoders._hub_tokenizer import HubTokenizer
from multimodal_ensemble.encoders._json_tokenizer import is_json_tokenizer
from multimodal_ensemble.encoders._pretrained_encoder import PretrainedEncoder
from multimodal_ensemble.encoders._read_text_source import read_source, read_weights
from multimodal_ensemble.encoders._text_backbone import build_text_backbone
from multimodal_ensemble.encoders._text_source import TextSource

# In place of a tokenizer of KerasHub in a configuration; `get_state` returns it.
_IN_STATE = "saved"
# What a loaded source depends on.
_SOURCE_PARAMS = frozenset({"backbone", "tokenizer", "weights"})


class LanguageModelEncoder(PretrainedEncoder):
    """The part of a `TextEncoder` that concerns its network; it has the arguments of that."""

    tokenizer: Any
    pooling: str | None
    normalize: bool
    windows: bool
    _backbone_params = _SOURCE_PARAMS | set(
        "name pooling normalize windows trainable_layers".split()
    )
    # What was loaded from these.
    _source: TextSource | None = None

    def _build_backbone(self) -> keras.Model:
        source = self._get_source()
        if source.weights is None:
            # A file does not hold the weights, or holds those after training.
            named = self.backbone if self.weights is None else self.weights
            weights = read_weights(named, modality=self.name)
            source = self._source = replace(source, weights=weights)
        return build_text_backbone(
            backbone_name(self.name),
            source.build_network(modality=self.name),
            pad_id=source.tokenizer.pad_id,
            pooling=self.pooling or source.pooling,
            normalize=self.normalize,
            windows=self.windows,
        )

    def set_params(self, **params: Any) -> Self:
        """Change parameters after checking them; what they affect is read or built again."""
        super().set_params(**params)
        if _SOURCE_PARAMS & params.keys():
            self._source = None
        return self

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy for `sklearn.base.clone`, which need not read files again."""
        shared = {"backbone": self.backbone, "tokenizer": self.tokenizer}
        params = {
            key: shared[key] if key in shared else clone(value, safe=False)
            for key, value in self.get_params(deep=False).items()
        }
        cloned = type(self)(**params)
        cloned._source = self._source
        return cloned

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as values that Keras can write to JSON."""
        described = copy.copy(self)
        if isinstance(self.backbone, keras.Model):
            # Only what the encoder uses; `get_state` returns the weights.
            described.backbone = "none"
        if is_json_tokenizer(self.tokenizer):
            described.tokenizer = self.tokenizer.to_str()
        elif self.tokenizer is not None and not isinstance(self.tokenizer, str | os.PathLike):
            described.tokenizer = _IN_STATE
        config = super(LanguageModelEncoder, described).get_config()
        if isinstance(self.backbone, keras.Model):
            config["backbone"] = self._get_source().config
        return config

    @property
    def has_named_weights(self) -> bool:
        """Whether the backbone has the unchanged weights of a folder or preset."""
        return not isinstance(self.backbone, keras.Model) and not self.trainable_layers

    def get_state(self) -> dict[str, Any]:
        """Return the network and the tokenizer, and the weights unless the options name them."""
        return {**super().get_state(), "text_source": self._get_source().get_state()}

    def set_state(self, state: Mapping[str, Any]) -> Self:
        """Take over what `get_state` of an encoder with the same configuration returned."""
        self._check_state(state)
        learned = dict(state)
        weights = learned.pop("backbone_weights", None)
        described = learned.pop("text_source")
        source = self._source = TextSource.from_state(described, weights, modality=self.name)
        self._backbone = None
        if self.tokenizer == _IN_STATE and isinstance(source.tokenizer, HubTokenizer):
            self.tokenizer = source.tokenizer.tokenizer
        # A clone of this encoder starts from a model of the user's as it was saved, ...
        if isinstance(self.backbone, keras.Model):
            self.backbone = source.build_network(modality=self.name)
        elif self.trainable_layers:
            # ... and otherwise from the weights that the options name.
            self._get_item_backbone()
            self._source = replace(source, weights=None)
        return super().set_state(learned)

    def _get_source(self) -> TextSource:
        if self._source is None:
            source = read_source(self.backbone, self.tokenizer, modality=self.name)
            if self.weights is not None:
                weights = read_weights(self.weights, modality=self.name)
                source = replace(source, weights=weights)
            self._source = source
        return self._source
