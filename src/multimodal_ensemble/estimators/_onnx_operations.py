"""Operations that tf2onnx lacks and ONNX can express."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def further_operations() -> Iterator[None]:
    """Let tf2onnx convert ``erfc``, which Keras uses for the activation "gelu"."""
    # Importing `onnx_opset` registers the operations that tf2onnx has.
    from tf2onnx import handler, onnx_opset  # noqa: F401

    handlers = handler.tf_op.get_opsets()[""]
    version = 9
    has_own = any("Erfc" in known for known in handlers)
    if not has_own:
        handler.tf_op.register_handler(_convert_erfc, version, ["Erfc"], "", {})
    try:
        yield
    finally:
        if not has_own:
            del handlers[version]["Erfc"]


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
