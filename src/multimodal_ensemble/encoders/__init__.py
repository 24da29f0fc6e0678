"""Encoders: one modality each, from raw values to an embedding."""

from multimodal_ensemble.encoders._bag_of_words_encoder import BagOfWordsEncoder
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._fit_encoders import fit_encoders
from multimodal_ensemble.encoders._image_encoder import ImageEncoder
from multimodal_ensemble.encoders._infer_encoders import infer_encoders
from multimodal_ensemble.encoders._inference_model import InferenceModel
from multimodal_ensemble.encoders._layers import ApplicationPreprocessing, FeatureScaling

__all__ = [
    "ApplicationPreprocessing",
    "BagOfWordsEncoder",
    "DenseEncoder",
    "Encoder",
    "FeatureScaling",
    "ImageEncoder",
    "InferenceModel",
    "fit_encoders",
    "infer_encoders",
]
