"""Encoders: one modality each, from raw values to an embedding."""

from multimodal_ensemble.encoders._augmentation import Augmentation
from multimodal_ensemble.encoders._bag_of_words_encoder import BagOfWordsEncoder
from multimodal_ensemble.encoders._category_encoder import CategoryEncoder
from multimodal_ensemble.encoders._date_encoder import DateEncoder
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._dense_head import DenseHead
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._feature_map import split_at_feature_map
from multimodal_ensemble.encoders._fit_encoders import as_encoder_list, fit_encoders, present_values
from multimodal_ensemble.encoders._fold_normalisation import fold_normalisation
from multimodal_ensemble.encoders._image_encoder import ImageEncoder
from multimodal_ensemble.encoders._infer_encoders import infer_encoders
from multimodal_ensemble.encoders._item_layers import AttentionPooling, FoldItems, PoolItems
from multimodal_ensemble.encoders._item_lists import ItemLists
from multimodal_ensemble.encoders._items_encoder import ItemsEncoder
from multimodal_ensemble.encoders._join_backbones import join_backbones
from multimodal_ensemble.encoders._layers import (
    ApplicationPreprocessing,
    FeatureScaling,
    InferenceModel,
    MirrorImages,
)
from multimodal_ensemble.encoders._patch_pooling import PatchPooling
from multimodal_ensemble.encoders._sequence_encoder import SequenceEncoder
from multimodal_ensemble.encoders._sequence_head import SequenceHead
from multimodal_ensemble.encoders._sequence_layers import SequenceLayer, SequencePooling
from multimodal_ensemble.encoders._split_backbone import BackboneSplit, split_backbone
from multimodal_ensemble.encoders._tag_embedding_encoder import TagEmbeddingEncoder
from multimodal_ensemble.encoders._text_encoder import TextEncoder

__all__ = [
    "ApplicationPreprocessing",
    "AttentionPooling",
    "Augmentation",
    "BackboneSplit",
    "BagOfWordsEncoder",
    "CategoryEncoder",
    "DateEncoder",
    "DenseEncoder",
    "DenseHead",
    "Encoder",
    "FeatureScaling",
    "FoldItems",
    "ImageEncoder",
    "InferenceModel",
    "ItemLists",
    "ItemsEncoder",
    "MirrorImages",
    "PatchPooling",
    "PoolItems",
    "SequenceEncoder",
    "SequenceHead",
    "SequenceLayer",
    "SequencePooling",
    "TagEmbeddingEncoder",
    "TextEncoder",
    "as_encoder_list",
    "fit_encoders",
    "fold_normalisation",
    "infer_encoders",
    "join_backbones",
    "present_values",
    "split_at_feature_map",
    "split_backbone",
]
