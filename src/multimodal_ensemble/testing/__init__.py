"""A test of the encoder contract for encoders of your own."""

from multimodal_ensemble.testing._check_encoder import check_encoder

__all__ = ["check_encoder"]
