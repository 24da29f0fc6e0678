"""What an encoder has learned, and the weights of its backbone, to save and restore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import keras


class EncoderState:
    """The part of the contract of an `Encoder` that saved files rest on."""

    if TYPE_CHECKING:

        def get_backbone(self) -> keras.Model | None: ...

    @property
    def has_named_weights(self) -> bool:
        """Whether the configuration alone determines the weights of the backbone."""
        return False

    def fitted_attributes(self) -> dict[str, Any]:
        """Return what `fit` learned: the attributes whose names end in one underscore."""
        learned = [key for key in vars(self) if key.endswith("_") and not key.startswith("_")]
        return {key: getattr(self, key) for key in learned}

    def get_state(self) -> dict[str, Any]:
        """Return what a copy with the same configuration lacks.

        Returns
        -------
        dict
            The `fitted_attributes`, and with a backbone the list of its weights as
            ``backbone_weights``, unless the encoder `has_named_weights`.
        """
        state = self.fitted_attributes()
        backbone = None if self.has_named_weights else self.get_backbone()
        if backbone is not None:
            state["backbone_weights"] = backbone.get_weights()
        return state

    def set_state(self, state: Mapping[str, Any]) -> Self:
        """Take over what `get_state` of an encoder with the same configuration returned."""
        learned = dict(state)
        weights = learned.pop("backbone_weights", None)
        for key, value in learned.items():
            setattr(self, key, value)
        if weights is not None:
            backbone = self.get_backbone()
            if backbone is None:
                msg = "The state has backbone_weights, and the encoder has no backbone."
                raise ValueError(msg)
            backbone.set_weights(weights)
        return self
