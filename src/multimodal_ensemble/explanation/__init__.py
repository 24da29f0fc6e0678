"""What scores rest on: modalities, tokens, words, columns and regions of images."""

from multimodal_ensemble.explanation._explain_rows import explain_rows
from multimodal_ensemble.explanation._explanation import Explanation
from multimodal_ensemble.explanation._image_map import ImageMap
from multimodal_ensemble.explanation._map_images import map_images
from multimodal_ensemble.explanation._modality_scores import modality_scores
from multimodal_ensemble.explanation._shapley import shapley_values

__all__ = [
    "Explanation",
    "ImageMap",
    "explain_rows",
    "map_images",
    "modality_scores",
    "shapley_values",
]
