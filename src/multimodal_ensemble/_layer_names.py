"""The names of the layers and inputs of a fusion model, defined only here."""

from __future__ import annotations

EMBEDDINGS = "embeddings"
EMBEDDINGS_DROPOUT = "embeddings_dropout"
MODALITY_DROPOUT = "modality_dropout"
SCORES = "scores"
CALIBRATION = "calibration"
PROBABILITIES = "class_probabilities"

# The layers that all modalities of a fusion share. No modality may have such a name.
SHARED_NAMES = frozenset(
    {EMBEDDINGS, EMBEDDINGS_DROPOUT, MODALITY_DROPOUT, SCORES, CALIBRATION, PROBABILITIES}
)


def backbone_name(modality: str) -> str:
    """Return the name of a backbone that this package builds; other backbones have any name."""
    return f"{modality}_backbone"


def seam_name(modality: str) -> str:
    """Return the name of the layer between a backbone and its head, where models are cut."""
    return f"{modality}_features"


def head_name(modality: str) -> str:
    """Return the name of a modality's head."""
    return f"{modality}_head"


def presence_name(modality: str) -> str:
    """Return the name of the input, or layer, that is 1 where a row has the modality, else 0."""
    return f"{modality}_present"


def or_missing_name(modality: str) -> str:
    """Return the name of the layer that replaces missing embeddings by a learned vector."""
    return f"{modality}_or_missing"


def spoken_name(modality: str) -> str:
    """Return the name of the layer of a late fusion that is 1 where a modality says something."""
    return f"{modality}_spoken"


def standardized_name(modality: str) -> str:
    """Return the name of the layer of a late fusion that standardises features of a backbone."""
    return f"{modality}_standardized"


def radial_name(modality: str) -> str:
    """Return the name of the layer of a late fusion with the radial features of a modality."""
    return f"{modality}_radial"


def member_name(member: str) -> str:
    """Return the name of the linear layer of a member of a late fusion."""
    return f"{member}_member"


def names_of(modality: str) -> set[str]:
    """Return the names of a modality's input and layers, except that of its backbone."""
    parts = (
        seam_name,
        head_name,
        presence_name,
        or_missing_name,
        spoken_name,
        standardized_name,
        radial_name,
        member_name,
    )
    return {modality, *(name(modality) for name in parts)}
