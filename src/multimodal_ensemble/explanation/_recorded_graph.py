"""The tensors of a model, whose layers other models may share."""

from __future__ import annotations

from typing import Any

import keras

from multimodal_ensemble._keras import clone_model, using_dtype_policy


class RecordedGraph:
    """The inputs of a model, and what each of its layers takes and returns.

    ``layer.output`` is that of the first model that called the layer. This graph calls the layers
    of a model once more, so that its tensors belong together.

    Parameters
    ----------
    model : keras.Model
        A functional model.
    """

    def __init__(self, model: keras.Model) -> None:
        self.inputs: dict[str, keras.KerasTensor] = {
            tensor.name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
            for tensor in model.inputs
        }
        # By name of the layer.
        self.taken: dict[str, Any] = {}
        self.returned: dict[str, Any] = {}
        structure = model.input
        is_dict = isinstance(structure, dict)
        tensors: Any = self.inputs if is_dict else list(self.inputs.values())
        with using_dtype_policy(model.dtype_policy):
            cloned = clone_model(
                model,
                input_tensors=tensors,
                clone_function=lambda layer: layer,
                call_function=self._call,
            )
        # The scores, calibrated if the model is.
        self.output: keras.KerasTensor = cloned.output

    def _call(self, layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        self.taken[layer.name] = args[0] if args else None
        self.returned[layer.name] = output
        return output
