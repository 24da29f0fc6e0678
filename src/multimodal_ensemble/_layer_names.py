"""The names of the layers and inputs of a fusion model; the only place that spells them."""

from __future__ import annotations

EMBEDDINGS = "embeddings"
EMBEDDINGS_DROPOUT = "embeddings_dropout"
MODALITY_DROPOUT = "modality_dropout"
SCORES = "scores"

# Layers that a fusion has once, whatever its modalities; no modality may have such a name.
SHARED_NAMES = frozenset({EMBEDDINGS, EMBEDDINGS_DROPOUT, MODALITY_DROPOUT, SCORES})


def backbone_name(modality: str) -> str:
    """Return the name of the backbones that this package builds; those of others have any name."""
    return f"{modality}_backbone"


def seam_name(modality: str) -> str:
    """Return the name of the layer between a backbone and its head, where a model can be cut."""
    return f"{modality}_features"


def head_name(modality: str) -> str:
    """Return the name of a modality's head."""
    return f"{modality}_head"


def presence_name(modality: str) -> str:
    """Return the name of the input, or layer, with 1 where a row has the modality, 0 elsewhere."""
    return f"{modality}_present"


def or_missing_name(modality: str) -> str:
    """Return the name of the layer that replaces missing embeddings by a learned vector."""
    return f"{modality}_or_missing"


def names_of(modality: str) -> set[str]:
    """Return the names that a modality takes in a fusion model, apart from its backbone's."""
    return {
        modality,
        seam_name(modality),
        head_name(modality),
        presence_name(modality),
        or_missing_name(modality),
    }
