"""What tf2onnx lacks, or gets wrong, and ONNX can express."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

# The first version of ONNX's operations with "Erf".
_VERSION = 9


@contextmanager
def further_operations() -> Iterator[None]:
    """Let tf2onnx convert ``erfc``, which Keras uses for "gelu", and keep constants as constants.

    tf2onnx takes the small arrays that a layer holds, such as positions, for inputs of the model.
    """
    # The module tfonnx registers the operations that tf2onnx has.
    from tf2onnx import constants, handler, tf_loader, tfonnx

    del tfonnx
    by_version = handler.tf_op.get_opsets()[constants.ONNX_DOMAIN]
    has_own = any("Erfc" in known for known in by_version)
    load = tf_loader.from_function

    def load_without_constants(
        function: Any, input_names: list[str], *args: Any, **kwargs: Any
    ) -> Any:
        held = {tensor.name for tensor in function.inputs if tensor.op.type == "Const"}
        # The caller uses the same list afterwards.
        input_names[:] = [name for name in input_names if name not in held]
        return load(function, input_names, *args, **kwargs)

    if not has_own:
        by_version[_VERSION]["Erfc"] = (_convert_erfc, {})
    tf_loader.from_function = load_without_constants
    try:
        yield
    finally:
        tf_loader.from_function = load
        if not has_own:
            del by_version[_VERSION]["Erfc"]


def _convert_erfc(context: Any, node: Any, **options: Any) -> None:
    """Replace ``erfc(x)`` by ``1 - erf(x)``."""
    from tf2onnx import utils

    del options
    shapes, dtypes = node.output_shapes, node.output_dtypes
    one = np.array(1, utils.map_onnx_to_numpy_type(dtypes[0]))
    context.remove_node(node.name)
    erf = context.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
    constant = context.make_const(utils.make_name("one"), one)
    context.make_node(
        "Sub", [constant.output[0], erf.output[0]],
        name=node.name, outputs=node.output, shapes=shapes, dtypes=dtypes,
    )  # fmt: skip
