"""The backbone of an encoder of texts: built once, fine-tuned, copied, saved and restored."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import keras
from sklearn.base import clone

from multimodal_ensemble._layer_names import backbone_name
from multimodal_ensemble.encoders._image_backbone import (
    check_trainable_layers,
    set_trainable_layers,
)
from multimodal_ensemble.encoders._items_encoder import ItemsEncoder
from multimodal_ensemble.encoders._json_tokenizer import is_json_tokenizer
from multimodal_ensemble.encoders._read_text_source import read_source, read_weights
from multimodal_ensemble.encoders._text_backbone import build_text_backbone
from multimodal_ensemble.encoders._text_source import TextSource

# What a loaded source, and a built backbone, depend on.
_SOURCE_PARAMETERS = {"backbone", "tokenizer", "weights"}
_BACKBONE_PARAMETERS = _SOURCE_PARAMETERS | {
    "name",
    "pooling",
    "normalize",
    "windows",
    "trainable_layers",
}


class LanguageModelEncoder(ItemsEncoder):
    """The part of a `TextEncoder` that concerns its network; it has the arguments of that."""

    backbone: str | Path | keras.Model
    tokenizer: Any
    weights: str | Path | None
    pooling: str | None
    normalize: bool
    windows: bool
    trainable_layers: int | str
    # What was loaded and built from these.
    _source: TextSource | None = None
    _backbone: keras.Model | None = None

    def _get_item_backbone(self) -> keras.Model:
        """Return the network from token ids to one vector per text.

        An ImportError says that KerasHub is not installed, and a WeightsUnavailableError that the
        backbone or its weights cannot be read.
        """
        if self._backbone is None:
            source = self._get_source()
            if source.weights is None:
                # An estimator was saved without weights that are known by name.
                named = self.backbone if self.weights is None else self.weights
                weights = read_weights(named, modality=self.name)
                source = self._source = replace(source, weights=weights)
            self._backbone = build_text_backbone(
                backbone_name(self.name),
                source.build_network(modality=self.name),
                pad_id=source.tokenizer.pad_id,
                pooling=self.pooling or source.pooling,
                normalize=self.normalize,
                windows=self.windows,
            )
            set_trainable_layers(self._backbone, self.trainable_layers)
        return self._backbone

    def unfreeze(self, n_layers: int | None = None) -> Self:
        """Let training also change the last layers of the backbone.

        Training then runs the whole backbone in each epoch, because the vectors of all tokens,
        which the first trained layer takes, are too large for a store. All models that were built
        from this encoder share its backbone and change with it.

        Parameters
        ----------
        n_layers : int, optional
            Number of layers with weights, counted from the last; a block of a transformer is one.
            Default: all of them. 0 freezes the backbone again.

        Returns
        -------
        TextEncoder
            The encoder itself.

        Raises
        ------
        ValueError
            If the backbone has fewer layers than that, or with `items`.
        """
        n_or_all: int | str = "all" if n_layers is None else n_layers
        check_trainable_layers(n_or_all, mirror=False, items=self.items)
        set_trainable_layers(self._get_item_backbone(), n_or_all)
        self.trainable_layers = n_or_all
        return self

    def set_params(self, **params: Any) -> Self:
        """Change parameters after checking them; what they affect is read or built again."""
        backbone, source = self._backbone, self._source
        super().set_params(**params)
        if not _SOURCE_PARAMETERS & params.keys():
            self._source = source
        if not _BACKBONE_PARAMETERS & params.keys():
            self._backbone = backbone
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
        learned = dict(state)
        weights = learned.pop("backbone_weights", None)
        if weights is None and not self.has_named_weights:
            msg = f"The state of {self.name!r} lacks backbone_weights, which get_state returns."
            raise ValueError(msg)
        described = learned.pop("text_source")
        self._source = TextSource.from_state(described, weights, modality=self.name)
        self._backbone = None
        return super().set_state(learned)

    def _get_source(self) -> TextSource:
        if self._source is None:
            source = read_source(self.backbone, self.tokenizer, modality=self.name)
            if self.weights is not None:
                weights = read_weights(self.weights, modality=self.name)
                source = replace(source, weights=weights)
            self._source = source
        return self._source
