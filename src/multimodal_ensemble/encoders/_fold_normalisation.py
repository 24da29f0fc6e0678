"""Convolutions that do the batch normalisation after them as well."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np

from multimodal_ensemble._digest import digest_arrays
from multimodal_ensemble._keras import has_batch_normalisation, remembered
from multimodal_ensemble.encoders._graph import has_graph, is_chain, run_part, takes_as_it_is
from multimodal_ensemble.encoders._layers import InferenceModel

# Layers whose last kernel has one column for each channel of the output, and a bias after it.
_LINEAR = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Dense,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


def fold_normalisation(model: keras.Model) -> keras.Model:
    """Return a model whose convolutions do the batch normalisation that follows them.

    In inference, a batch normalisation multiplies each channel by one number and adds another one,
    which kernel and bias of the layer before it can do as well. The output differs by rounding.

    Parameters
    ----------
    model : keras.Model
        A model with one input.

    Returns
    -------
    keras.Model
        A model in inference mode. It has the other layers of the model, so it is valid until their
        weights change. The model itself, if nothing can be folded.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import fold_normalisation
    >>> inputs = keras.Input((4,))
    >>> dense = keras.layers.Dense(2, kernel_initializer="ones")
    >>> model = keras.Model(inputs, keras.layers.BatchNormalization()(dense(inputs)))
    >>> folded = fold_normalisation(model)
    >>> [type(layer).__name__ for layer in folded.layers]
    ['InputLayer', 'Dense']
    >>> row = np.ones((1, 4))
    >>> bool(np.allclose(folded(row), model(row)))
    True
    """
    # A class may change what the model predicts.
    own = [kind for kind in type(model).__mro__ if not kind.__module__.startswith("keras.")]
    is_own = any(name in vars(kind) for kind in own for name in ("__call__", "predict_step"))
    can_fold = has_batch_normalisation(model) and has_graph(model) and len(model.inputs) == 1
    if is_own or not can_fold:
        return model
    # Each output of a linear layer, with the layer and its input.
    linear: dict[int, tuple[Any, Any, Any]] = {}
    folded: dict[tuple[int, int], keras.Layer] = {}
    used: dict[int, Any] = {}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if is_chain(layer) and takes_as_it_is(layer, args, kwargs):
            return run_part(layer, args[0], call)
        tensor, before, taken = linear.get(id(args[0]) if args else 0, (None, None, None))
        if before is not None and _can_fold(before, layer, tensor, (args[1:], kwargs)):
            pair = (id(before), id(layer))
            if pair not in folded:
                folded[pair] = _fold(before, layer, taken)
            layer, args, kwargs = folded[pair], (taken,), {}
        used[id(layer)] = layer
        output = layer(*args, **kwargs)
        if type(layer) in _LINEAR:
            # If nothing but a batch normalisation needs it, it is no part of the new model.
            linear[id(output)] = (output, layer, args[0])
        return output

    inputs = keras.Input(model.inputs[0].shape[1:], dtype=model.inputs[0].dtype)
    outputs = run_part(model, inputs, call)
    # Keras refuses different layers with the same name, which models inside a model may have.
    if not folded or len({layer.name for layer in used.values()}) < len(used):
        return model
    result: keras.Model = InferenceModel(inputs, outputs, name=model.name)
    return result


def _can_fold(before: keras.Layer, layer: Any, tensor: Any, others: Any) -> bool:
    """Return whether one layer can do what both do; `tensor` is what the first one returns."""
    return (
        type(layer) is keras.layers.BatchNormalization
        and before.activation is keras.activations.linear
        and getattr(before, "data_format", "channels_last") == "channels_last"
        and layer.axis in (-1, len(tensor.shape) - 1)
        and before.compute_dtype == layer.compute_dtype == "float32"
        # Quantised layers, and those with adapters, have further weights.
        and len(before.weights) == _count_kernels(before) + before.use_bias
        # It may have a mask, or use the statistics of each batch (training=True).
        and not any(each is not None and each is not False for each in keras.tree.flatten(others))
    )


def _count_kernels(layer: keras.Layer) -> int:
    return 2 if isinstance(layer, keras.layers.SeparableConv2D) else 1


def _fold(before: Any, layer: Any, inputs: Any) -> keras.Layer:
    """Return a layer that does what both do.

    It is kept with the first one. A layer knows all its calls for its life, and through them the
    layers that take its output, so that each pass of a network would add a copy of its weights. A
    layer with several normalisations, or whose weights change between passes, still adds some.
    """
    options = {name: value for name, value in layer.get_config().items() if name != "name"}
    weights = [weight.numpy() for weight in [*before.weights, *layer.weights]]
    state = (digest_arrays(weights), options)
    return remembered(before, "folded", state, partial(_make_folded, before, layer, inputs))


def _make_folded(before: Any, layer: Any, inputs: Any) -> keras.Layer:
    config = {**before.get_config(), "name": f"{before.name}_{layer.name}", "use_bias": True}
    # Functions of one's own cannot be made from a configuration, and initial weights are replaced.
    for name in config:
        if name.endswith(("_regularizer", "_constraint")):
            config[name] = None
        elif name.endswith("_initializer"):
            config[name] = "zeros"
    both = type(before).from_config(config)
    both.build(inputs.shape)
    mean, variance = (
        np.asarray(each, dtype=np.float64) for each in (layer.moving_mean, layer.moving_variance)
    )
    # S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015, algorithm 2.
    scale = (np.asarray(layer.gamma) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    shift = np.asarray(layer.beta) if layer.center else 0.0
    *kernels, kernel = before.get_weights()[: _count_kernels(before)]
    bias = before.get_weights()[-1] if before.use_bias else 0.0
    is_depthwise = isinstance(before, keras.layers.DepthwiseConv2D)
    scale_of_kernel = scale.reshape(kernel.shape[-2:]) if is_depthwise else scale
    both.set_weights([*kernels, kernel * scale_of_kernel, (bias - mean) * scale + shift])
    return both
