"""The parts of a fusion model by modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras

from multimodal_ensemble._layer_names import head_name, or_missing_name, presence_name, seam_name
from multimodal_ensemble.encoders import BackboneSplit, split_backbone
from multimodal_ensemble.fusion._missing_modality import MissingModality


@dataclass(frozen=True)
class ModalityParts:
    """The parts of one modality in a fusion model; None where it has no such part.

    Parameters
    ----------
    name : str
        The modality, which is the name of its input.
    backbone : keras.Model or None
        The pretrained network that the input passes through.
    frozen : keras.Model or None
        The layers of the backbone before the first trained one; None if there is none.
    trained : keras.Model or None
        The rest of a backbone that is partly frozen.
    seam : keras.Layer or None
        The layer between backbone and head, where `feature_model` cuts.
    head : keras.Layer or None
        The trainable layers that return the embedding.
    or_missing : MissingModality or None
        The layer that replaces the embedding in rows that lack the modality.

    See Also
    --------
    fusion_parts : Returns the parts of all modalities.

    Examples
    --------
    >>> from multimodal_ensemble import DenseEncoder, fuse_encoders
    >>> from multimodal_ensemble.fusion import fusion_parts
    >>> year = DenseEncoder("year", optional=True).fit([1977, 1997])
    >>> model = fuse_encoders([year], n_labels=2)
    >>> parts = fusion_parts(model)["year"]
    >>> parts.head.name, parts.or_missing.name, parts.backbone
    ('year_head', 'year_or_missing', None)
    """

    name: str
    backbone: keras.Model | None
    frozen: keras.Model | None
    trained: keras.Model | None
    seam: keras.Layer | None
    head: keras.Layer | None
    or_missing: MissingModality | None

    @property
    def needs_adapting(self) -> bool:
        """Whether the head holds layers that have yet to adapt to training rows."""
        return self.head is not None and _needs_adapting(self.head)


def fusion_parts(model: keras.Model) -> dict[str, ModalityParts]:
    """Return the parts of a fusion model by modality.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders` or `fuse_models`, or loaded by `load_model`. The modalities of any
        other model are its inputs, which have no parts unless layers have the names of parts.

    Returns
    -------
    dict of str to ModalityParts
        In the order of the model's inputs. Inputs that mark which rows have an optional modality
        are not modalities.

    See Also
    --------
    adapt_heads : Adapts the heads that need it.
    feature_model : The part of the model behind its frozen backbones.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder, ImageEncoder, fuse_encoders
    >>> from multimodal_ensemble.fusion import fusion_parts
    >>> poster = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    >>> tags = BagOfWordsEncoder("tags").fit([["space", "war"], ["love"]])
    >>> parts = fusion_parts(fuse_encoders([poster, tags], n_labels=3))
    >>> {name: modality.backbone is not None for name, modality in parts.items()}
    {'poster': True, 'tags': False}
    >>> parts["poster"].frozen is poster.get_backbone()
    True
    """
    layers = {
        layer.name: layer
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    }
    names = [tensor.name for tensor in model.inputs]
    presence_inputs = {
        presence_name(name)
        for name in names
        if isinstance(layers.get(or_missing_name(name)), MissingModality)
    }
    return {name: _parts_of(name, layers) for name in names if name not in presence_inputs}


def can_adapt(layer: keras.Layer) -> bool:
    """Return whether a layer, or one of a sequential model, has an `adapt` method."""
    if isinstance(layer, keras.Sequential):
        return any(can_adapt(inner) for inner in layer.layers)
    return hasattr(layer, "adapt")


def _parts_of(name: str, layers: Mapping[str, keras.Layer]) -> ModalityParts:
    seam = layers.get(seam_name(name))
    seam = seam if isinstance(seam, keras.layers.Identity) else None
    backbone = None if seam is None else _find_backbone(seam, layers)
    split = BackboneSplit(None, None) if backbone is None else split_backbone(backbone)
    or_missing = layers.get(or_missing_name(name))
    return ModalityParts(
        name=name,
        backbone=backbone,
        frozen=split.frozen,
        trained=None if split.frozen is None else split.trained,
        seam=seam,
        head=layers.get(head_name(name)),
        or_missing=or_missing if isinstance(or_missing, MissingModality) else None,
    )


def _find_backbone(
    seam: keras.layers.Identity, layers: Mapping[str, keras.Layer]
) -> keras.Model | None:
    """Return the layer whose output the seam takes; it may have any name."""
    backbone = seam.input._keras_history.operation
    # A model that `feature_model` cut keeps the seam but not the backbone.
    return backbone if layers.get(backbone.name) is backbone else None


def _needs_adapting(layer: keras.Layer) -> bool:
    if isinstance(layer, keras.Sequential):
        return any(_needs_adapting(inner) for inner in layer.layers)
    # An adapted layer stays as it is: weights trained on its output would be wrong otherwise.
    return can_adapt(layer) and not getattr(layer, "is_adapted", False)
