"""Speed, memory and exactness of backbones on a GPU: ``python -m benchmarks.gpu``.

The networks have random weights, because neither speed nor rounding needs others. Without a GPU,
the command says so and ends. ``--device CPU`` is a trial run on tiny networks.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

# Set before TensorFlow is imported, because its start-up messages would hide the table.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from multimodal_ensemble import ImageEncoder

BACKBONES = ("VGG16", "MobileNet", "ResNet50", "EfficientNetB0", "ConvNeXtTiny")
# The least cosine of features on the device with those of the CPU in float32.
LEAST_COSINE = {"float32": 0.99999, "mixed_float16": 0.999, "mixed_bfloat16": 0.99}
N_COMPARED = 8
COLUMNS = (
    "network",
    "computed in",
    "rows/s",
    "share of peak",
    "rows/s with transfer",
    "transfer hidden",
    "MiB, n batches",
    "MiB, 2n batches",
    "cosine with CPU",
    "",
)


def main(arguments: list[str] | None = None) -> int:
    """Measure each network in float32, in mixed precision and with XLA; print a table."""
    options = _parse(arguments)
    devices = tf.config.list_physical_devices(options.device)
    if not devices:
        print(f"TensorFlow finds no {options.device} on this machine, so nothing was measured.")
        return 0
    for gpu in tf.config.list_physical_devices("GPU"):
        # Otherwise TensorFlow takes all memory at once, and its growth cannot be seen.
        tf.config.experimental.set_memory_growth(gpu, True)
    details = tf.config.experimental.get_device_details(devices[0])
    print(f"Device: {details.get('device_name', options.device)}; TensorFlow {tf.__version__}")
    peaks = {
        dtype: _peak(dtype, options) for dtype in ("float32", _half(options).partition("_")[2])
    }
    for dtype, peak in peaks.items():
        print(f"Peak: {peak / 1e12:.3g} TFLOPS of a matrix product in {dtype}")
    rows = [COLUMNS, tuple("-" * len(name) for name in COLUMNS)]
    for name, backbone in _backbones(options):
        mixed = _with_policy(backbone, _half(options))
        for model, policy, with_xla in (
            (backbone, "float32", False),
            (backbone, "float32", True),
            (mixed, _half(options), False),
            (mixed, _half(options), True),
        ):
            peak = peaks[policy.removeprefix("mixed_")]
            measured = _measure(backbone, model, policy, with_xla, peak, options)
            rows.append((name, policy + (" with XLA" if with_xla else ""), *measured))
            print("| " + " | ".join(rows[-1]) + " |", file=sys.stderr, flush=True)
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))
    return int(any(row[-1] == "DIFFERS" for row in rows))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=main.__doc__)
    parser.add_argument("--device", choices=("GPU", "CPU"), default="GPU")
    parser.add_argument("--backbones", nargs="+", default=BACKBONES, metavar="NAME")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--batches", type=int, default=20, help="batches of one measurement")
    parser.add_argument("--repeats", type=int, default=5, help="the median is shown")
    options = parser.parse_args(arguments)
    if options.device == "CPU":
        options.image_size, options.batch_size = 16, 8
        options.batches, options.repeats = 2, 2
    return options


def _half(options: argparse.Namespace) -> str:
    return "mixed_float16" if options.device == "GPU" else "mixed_bfloat16"


def _backbones(options: argparse.Namespace) -> Iterator[tuple[str, keras.Model]]:
    side = options.image_size
    if options.device == "CPU":
        layers = [keras.Input((side, side, 3)), keras.layers.Conv2D(8, 3)]
        network = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D()])
        yield "a convolution", network
        return
    for name in options.backbones:
        encoder = ImageEncoder("image", backbone=name, weights=None, image_size=side, seed=1)
        yield name, encoder.get_backbone()


def _with_policy(model: keras.Model, policy: str) -> keras.Model:
    """Return a copy of a model, and of the models in it, with a dtype policy and equal weights."""

    def copy(layer: keras.Layer) -> keras.Layer:
        # Operations, such as a sum, take the dtype of their inputs.
        dtype = {"dtype": policy} if isinstance(layer, keras.Layer) else {}
        return type(layer).from_config({**layer.get_config(), **dtype})

    changed = keras.models.clone_model(model, clone_function=copy, recursive=True)
    changed.set_weights(model.get_weights())
    return changed


def _measure(
    reference: keras.Model,
    model: keras.Model,
    policy: str,
    with_xla: bool,
    peak: float,
    options: argparse.Namespace,
) -> tuple[str, ...]:
    """Return the cells of one line of the table, from the third."""
    shape = (options.batch_size, options.image_size, options.image_size, 3)
    # Different arrays, as those of different images are.
    batches = list(np.random.default_rng(0).integers(0, 256, (4, *shape), dtype="uint8"))
    run = tf.function(lambda batch: model(batch, training=False), jit_compile=with_xla)
    device = f"{options.device}:0"
    with tf.device(device):
        there = [tf.constant(batch) for batch in batches]
    n_rows = options.batches * options.batch_size

    def compute() -> None:
        outputs = [run(there[number % 4]) for number in range(options.batches)]
        outputs[-1].numpy()

    def copy() -> None:
        with tf.device(device):
            copies = [tf.identity(batches[number % 4]) for number in range(options.batches)]
        # Reading one number waits for the copy.
        int(copies[-1][0, 0, 0, 0])

    def from_host(n_batches: int) -> None:
        # As in a pass of a store: results return to the host batch by batch.
        for number in range(n_batches):
            with tf.device(device):
                run(tf.identity(batches[number % 4])).numpy()

    compute()
    alone, copying = _seconds(compute, options), _seconds(copy, options)
    both = _seconds(lambda: from_host(options.batches), options)
    _reset_memory(device)
    from_host(options.batches)
    few = _peak_memory(device)
    from_host(2 * options.batches)
    many = _peak_memory(device)
    compared = batches[0][:N_COMPARED]
    with tf.device("CPU:0"):
        exact = np.asarray(reference(compared, training=False), np.float64)
    result = np.asarray(tf.cast(run(there[0]), tf.float32), np.float64)[:N_COMPARED]
    cosine = _lowest_cosine(exact, result)
    share = _flops(reference, options) * n_rows / alone / peak
    hidden = np.clip((alone + copying - both) / copying, 0, 1)
    return (
        f"{n_rows / alone:,.0f}",
        f"{share:.0%}",
        f"{n_rows / both:,.0f}",
        f"{hidden:.0%}",
        few,
        many,
        f"{cosine:.6f}",
        "equal" if cosine >= LEAST_COSINE[policy] else "DIFFERS",
    )


def _seconds(run: Callable[[], None], options: argparse.Namespace) -> float:
    times = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _peak(dtype: str, options: argparse.Namespace) -> float:
    """Return the floating-point operations per second of a large matrix product."""
    size, count = (8192, 20) if options.device == "GPU" else (256, 2)
    with tf.device(f"{options.device}:0"):
        matrix = tf.cast(tf.random.stateless_normal((size, size), seed=(1, 2)), dtype)

    def multiply() -> None:
        products = [tf.matmul(matrix, matrix) for _ in range(count)]
        float(products[-1][0, 0])

    multiply()
    return 2 * size**3 * count / _seconds(multiply, options)


def _flops(model: keras.Model, options: argparse.Namespace) -> float:
    """Return the floating-point operations of one row, as TensorFlow's profiler counts them."""
    spec = tf.TensorSpec((1, options.image_size, options.image_size, 3), tf.uint8)
    graph = tf.function(lambda row: model(row, training=False)).get_concrete_function(spec).graph
    profiler = tf.compat.v1.profiler
    counted = profiler.ProfileOptionBuilder.float_operation()
    counted["output"] = "none"
    return float(profiler.profile(graph, options=counted).total_float_ops)


def _reset_memory(device: str) -> None:
    if device.startswith("GPU"):
        tf.config.experimental.reset_memory_stats(device)


def _peak_memory(device: str) -> str:
    if not device.startswith("GPU"):
        return "-"
    return f"{tf.config.experimental.get_memory_info(device)['peak'] / 2**20:,.0f}"


def _lowest_cosine(one: Any, other: Any) -> float:
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(axis=1) / norms).min())


if __name__ == "__main__":
    sys.exit(main())
