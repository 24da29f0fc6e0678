"""The backbone of an encoder of images: built once, fine-tuned, copied, saved and restored."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import keras

from multimodal_ensemble._keras import has_lambda
from multimodal_ensemble._layer_names import backbone_name
from multimodal_ensemble.encoders._check_image_network import names_preset
from multimodal_ensemble.encoders._image_backbone import (
    build_image_backbone,
    copy_model,
    copy_weights,
    find_image_size,
    set_trainable_layers,
)
from multimodal_ensemble.encoders._image_preset import (
    ImagePreset,
    describe_preset,
    load_image_preset,
    own_input_size,
    restore_preset,
)
from multimodal_ensemble.encoders._image_settings import converter_settings, copy_preprocessing
from multimodal_ensemble.encoders._pretrained_encoder import PretrainedEncoder


class NetworkEncoder(PretrainedEncoder):
    """The part of an `ImageEncoder` that concerns its network; it has the arguments of that."""

    if TYPE_CHECKING:

        @property
        def _item_shape(self) -> tuple[int, int, int]: ...

    image_size: int | Sequence[int] | None
    pooling: str | Sequence[str]
    layers: int | Sequence[str]
    preprocessing: str | keras.layers.Layer | None
    resampling: str | None
    seed: int | None
    _backbone_params = frozenset(
        "name backbone weights image_size pooling layers mirror preprocessing trainable_layers "
        "seed".split()
    )
    # What was loaded from these.
    _preset: ImagePreset | None = None

    def set_params(self, **params: Any) -> Self:
        """Change parameters after checking them; what they affect is read or built again."""
        super().set_params(**params)
        if self._backbone_params & params.keys():
            self._preset = None
        return self

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy for `sklearn.base.clone`, with a copy of the user's model."""
        network = self.get_params(deep=False).get("backbone")
        if not isinstance(network, keras.Model) or not has_lambda(network):
            cloned: Self = super().__sklearn_clone__()
            return cloned
        # Keras cannot copy a model with a Lambda layer in the way that scikit-learn asks for.
        without = copy.copy(self)
        without.backbone = "VGG16"
        cloned = without.__sklearn_clone__()
        return cloned.set_params(backbone=copy_model(network))

    @property
    def has_named_weights(self) -> bool:
        """Whether the backbone has the unchanged weights of a Keras network or of a file."""
        named = not isinstance(self.backbone, keras.Model) and self.weights is not None
        return named and not self.trainable_layers

    def get_state(self) -> dict[str, Any]:
        """Return what was learned, and what is needed to rebuild the backbone."""
        state = super().get_state()
        if names_preset(self.backbone):
            state["preset"] = describe_preset(self._load_preset())
        return state

    def set_state(self, state: Mapping[str, Any]) -> Self:
        """Take over what `get_state` of an encoder with the same configuration returned."""
        self._check_state(state)
        learned = dict(state)
        weights = learned.get("backbone_weights")
        described = learned.pop("preset") if names_preset(self.backbone) else None
        # The preset and the weights that the configuration names may not be on this machine.
        if described is not None and (weights is not None or self.weights != "imagenet"):
            self._preset = restore_preset(described, weights, modality=self.name)
        if weights is not None and self._backbone is None:
            self._backbone = self._build_with(None)
            set_trainable_layers(self._backbone, self.trainable_layers)
        super().set_state(learned)
        if weights is not None and isinstance(self.backbone, keras.Model):
            # A clone of this encoder starts from this model. It is a copy, because the original
            # may belong to the caller.
            self.backbone = copy_model(self.backbone)
            copy_weights(self._get_item_backbone(), self.backbone, by_name=self.layers != 1)
        return self

    def _load_preset(self) -> ImagePreset:
        if self._preset is None:
            self._preset = load_image_preset(
                self.backbone,
                modality=self.name,
                image_size=self.image_size,
                load_weights=self.weights == "imagenet",
                seed=self.seed,
            )
        return self._preset

    @property
    def _resampling(self) -> str:
        if self.resampling is not None:
            return self.resampling
        if names_preset(self.backbone):
            return self._load_preset().resampling
        filter_name: str = converter_settings(self.preprocessing).get("resampling", "bilinear")
        return filter_name

    @property
    def _size(self) -> tuple[int, int]:
        """Height and width of images."""
        if names_preset(self.backbone):
            return self._load_preset().image_size
        size = self.image_size
        if (
            size is None
            and not isinstance(self.backbone, str)
            and None in own_input_size(self.backbone)
        ):
            size = converter_settings(self.preprocessing).get("image_size")
        return find_image_size(self.backbone, size)

    def _build_backbone(self) -> keras.Model:
        return self._build_with(self.weights)

    def _build_with(self, weights: str | Path | None) -> keras.Model:
        network, preprocessing = self.backbone, copy_preprocessing(self.preprocessing)
        if names_preset(network):
            preset = self._load_preset()
            # The preset has its weights; a path names others.
            network, weights = preset.network, None if weights == "imagenet" else weights
            if preprocessing == "imagenet":
                preprocessing = preset.make_preprocessing()
        elif isinstance(network, keras.Model):
            # Use a copy, because freezing, training and loading must change neither the caller's
            # model nor other encoders that received the same model.
            network = copy_model(network)
        return build_image_backbone(
            backbone_name(self.name),
            network,
            weights=weights,
            input_shape=self._item_shape,
            pooling=self.pooling,
            layers=self.layers,
            mirror=self.mirror,
            preprocessing=preprocessing,
            seed=self.seed,
        )
