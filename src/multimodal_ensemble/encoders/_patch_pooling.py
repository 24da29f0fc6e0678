"""Pooling of the tokens that a network returns for an image."""

from __future__ import annotations

from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_choice


@keras.saving.register_keras_serializable(package=PACKAGE)
class PatchPooling(keras.layers.Layer):
    """Reduce the tokens of an image to one vector.

    A vision transformer returns one token per patch of the image. Many have special tokens in
    front of these: a class token, and further ones such as registers.

    Parameters
    ----------
    kind : {"avg", "max", "cls"}, default="avg"
        Mean or maximum of the tokens of the patches, or the first token of all.
    n_special : int, default=0
        Number of tokens, at the beginning, that belong to no patch.
    **kwargs
        Passed to `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If `kind` is another one.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import PatchPooling
    >>> tokens = np.array([[[9.0], [1.0], [3.0]]])
    >>> np.asarray(PatchPooling("avg", n_special=1)(tokens)).tolist()
    [[2.0]]
    >>> np.asarray(PatchPooling("cls")(tokens)).tolist()
    [[9.0]]
    """

    def __init__(self, kind: str = "avg", n_special: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_choice(kind, ("avg", "max", "cls"), name="kind")
        self.kind = kind
        self.n_special = n_special

    def call(self, inputs: Any) -> Any:
        """Pool tokens of shape (n, n_tokens, width) to vectors of shape (n, width)."""
        if self.kind == "cls":
            return inputs[:, 0]
        patches = inputs[:, self.n_special :]
        return (keras.ops.mean if self.kind == "avg" else keras.ops.max)(patches, axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the vectors."""
        return (input_shape[0], input_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "kind": self.kind, "n_special": self.n_special}
