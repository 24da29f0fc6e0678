"""Other engines than TensorFlow for a frozen network: ``python -m benchmarks.engines --help``.

Each engine computes the same batch in turn with TensorFlow in float32. `seconds` counts either the
time that passes, or with ``--threads 1`` that of the processor, which other processes change less.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnxruntime
import pandas as pd
import tensorflow as tf
import tf2onnx

from benchmarks._data import make_movies
from multimodal_ensemble import ImageEncoder
from multimodal_ensemble.encoders import fold_normalisation
from multimodal_ensemble.features._compute_dtype import in_bfloat16, is_bfloat16_fast
from multimodal_ensemble.reporting import to_markdown

Engine = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Print the rate of each engine, and its ratio to that of TensorFlow in float32."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("network", help="such as MobileNet")
    parser.add_argument("--weights", default=None, help="a file; by default, random weights")
    parser.add_argument("--data", type=Path, help="folder with real posters (*.jpg)")
    parser.add_argument("--images", type=int, default=32, help="number of images in the batch")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="default: all cores")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    encoder = ImageEncoder(
        "poster",
        backbone=options.network,
        weights=options.weights,
        image_size=options.image_size,
        seed=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        posters = make_movies(options.images, Path(folder), options.data).table["poster"]
        pixels = encoder.encode(posters)
        engines = make_engines(encoder.get_backbone(), pixels, Path(folder), options.threads)
        clock = time.process_time if options.threads == 1 else time.perf_counter
        print(to_markdown(compare(engines, pixels, options.repeats, clock)))


def make_engines(
    model: keras.Model, pixels: np.ndarray, folder: Path, threads: int
) -> dict[str, Engine]:
    """Return a function from pixels to features by engine, TensorFlow in float32 first."""
    engines: dict[str, Engine] = {
        "TensorFlow": model.predict_on_batch,
        "TensorFlow, batch normalisation folded": fold_normalisation(model).predict_on_batch,
    }
    if is_bfloat16_fast():
        engines["TensorFlow in bfloat16"] = in_bfloat16(model).predict_on_batch
    path = str(folder / "model.onnx")
    shape = tf.TensorSpec((None, *pixels.shape[1:]), tf.uint8, name="pixels")
    call = tf.function(lambda batch: model(batch, training=False), input_signature=[shape])
    tf2onnx.convert.from_function(call, input_signature=[shape], opset=17, output_path=path)
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        path, session_options, providers=["CPUExecutionProvider"]
    )
    engines[f"ONNX Runtime {onnxruntime.__version__}"] = lambda batch: session.run(
        None, {"pixels": batch}
    )[0]
    try:
        import openvino
    except ImportError:
        return engines
    core = openvino.Core()
    limit = {"INFERENCE_NUM_THREADS": threads} if threads else {}
    dtypes = {"f32": "float32"} | ({"bf16": "bfloat16"} if is_bfloat16_fast() else {})
    for hint, dtype in dtypes.items():
        compiled = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": hint, **limit})
        engines[f"OpenVINO in {dtype}"] = lambda batch, compiled=compiled: compiled(batch)[0]
    return engines


def compare(
    engines: dict[str, Engine], pixels: np.ndarray, repeats: int, clock: Callable[[], float]
) -> pd.DataFrame:
    """Return a line per engine: images per second, times faster, and the lowest cosine."""
    # The first call of each traces or compiles.
    outputs = {name: np.asarray(run(pixels), np.float64) for name, run in engines.items()}
    unit = {name: each / np.linalg.norm(each, axis=1)[:, None] for name, each in outputs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(repeats):
        for name, run in engines.items():
            start = clock()
            run(pixels)
            seconds[name].append(clock() - start)
    first = next(iter(engines))
    lines = []
    for name, taken in seconds.items():
        gains = [there / here for there, here in zip(seconds[first], taken, strict=True)]
        lines.append(
            {
                "engine": name,
                "images per second": f"{len(pixels) / statistics.median(taken):.1f}",
                "times faster": f"{statistics.median(gains):.2f}",
                "range": f"{min(gains):.2f} to {max(gains):.2f}",
                "lowest cosine": f"{(unit[name] * unit[first]).sum(axis=1).min():.7f}",
            }
        )
    return pd.DataFrame(lines).set_index("engine")


if __name__ == "__main__":
    main()
