"""What encoders of images and of texts have in common: one pretrained network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import keras

from multimodal_ensemble.encoders._check_image_network import names_preset
from multimodal_ensemble.encoders._image_backbone import (
    check_trainable_layers,
    set_trainable_layers,
)
from multimodal_ensemble.encoders._items_encoder import ItemsEncoder


class PretrainedEncoder(ItemsEncoder):
    """An encoder that builds its network once, and can let training change its last layers."""

    backbone: str | Path | keras.Model
    weights: str | Path | None
    trainable_layers: int | str
    # The value of a subclass whose constructor has no such argument.
    mirror: bool = False
    # What was built from the options, and which of them it depends on.
    _backbone: keras.Model | None = None
    _backbone_params: ClassVar[frozenset[str]]

    @abstractmethod
    def _build_backbone(self) -> keras.Model:
        """Return a new network from encoded items to one vector per item.

        A WeightsUnavailableError says that its weights cannot be downloaded or read.
        """

    def _get_item_backbone(self) -> keras.Model:
        if self._backbone is None:
            self._backbone = self._build_backbone()
            set_trainable_layers(self._backbone, self.trainable_layers)
        return self._backbone

    def set_params(self, **params: Any) -> Self:
        """Change parameters after checking them; the backbone is rebuilt if one affects it."""
        super().set_params(**params)
        if self._backbone_params & params.keys():
            self._backbone = None
        return self

    def unfreeze(self, n_layers: int | None = None) -> Self:
        """Let training also change the last layers of the backbone.

        Create the data sets again afterwards: a store now keeps the input of the first block that
        is trained. With texts it keeps nothing, because the vectors of all tokens are too large,
        and each epoch runs the whole backbone. Batch normalisation stays frozen, as is usual in
        fine-tuning. All models that were built from this encoder share its backbone and change
        with it.

        Parameters
        ----------
        n_layers : int, optional
            Number of layers, counted from the last, that have weights and are not batch
            normalisation; a block of a transformer is one. Default: all of them. 0 freezes the
            backbone again.

        Returns
        -------
        Encoder
            The encoder itself.

        Raises
        ------
        ValueError
            If the backbone has fewer layers than that, or with `mirror` or `items`.
        """
        n_or_all: int | str = "all" if n_layers is None else n_layers
        check_trainable_layers(n_or_all, mirror=self.mirror, items=self.items)
        set_trainable_layers(self._get_item_backbone(), n_or_all)
        self.trainable_layers = n_or_all
        return self

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, with absolute paths of the backbone and weights."""
        config = super().get_config()
        for option in ("backbone", "weights"):
            value = config.get(option, "imagenet")
            if names_preset(value) and value != "imagenet" and Path(value).exists():
                config[option] = str(Path(value).absolute())
        return config

    def _check_state(self, state: Mapping[str, Any]) -> None:
        """Raise a ValueError if a state lacks the weights that `get_state` returns."""
        if "backbone_weights" not in state and not self.has_named_weights:
            msg = f"The state of {self.name!r} lacks backbone_weights, which get_state returns."
            raise ValueError(msg)
