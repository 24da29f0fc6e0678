"""The share of the processor's peak that the pass of a network uses, and the gain of bfloat16."""

import math
import tempfile
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from benchmarks._data import N_TAGS, Movies
from benchmarks._figure import Figure, time_pairs
from benchmarks._models import Setting
from multimodal_ensemble import Encoder, FeatureStore, TextEncoder

N_IMAGES = 64
N_TEXTS = 128
# The rows and columns of the matrices whose product takes the time of the processor's peak.
N_ROWS = 4096


def measure_processor(movies: Movies, setting: Setting, scale: float) -> Iterator[Figure]:
    """Yield a share per network and dtype, and the time of a text network in bfloat16.

    Networks of images are computed in bfloat16 only where its products are faster.
    """
    size = max(512, round(N_ROWS * scale))
    products = {dtype: _make_product(size, dtype) for dtype in ("float32", "bfloat16")}
    gains, _ = time_pairs(
        products["bfloat16"], products["float32"], repeats=setting.repeats, inverse=True
    )
    gain = Figure("matrix product in bfloat16 (times faster)", "in float32", None, gains)
    yield gain
    images = movies.head(max(8, round(N_IMAGES * scale)))
    for name, poster in setting.posters().items():
        n_products = count_multiply_adds(poster.get_backbone()) * len(images.table)
        for dtype in products if gain.ratio > 1 else ["float32"]:
            ratios, seconds = time_pairs(
                _make_pass(poster, images, setting, dtype),
                products[dtype],
                repeats=setting.repeats,
                inverse=True,
            )
            yield Figure(
                f"{name} in {dtype}, products per second",
                f"a product of matrices of {size:,} x {size:,} in {dtype}: the peak",
                None,
                [ratio * n_products / size**3 for ratio in ratios],
                details={
                    "images": len(images.table),
                    "gflop_per_second": 2e-9 * n_products / seconds["seconds"],
                    "peak_gflop_per_second": 2e-9 * size**3 / seconds["seconds_against"],
                },
            )
    yield _measure_text(movies.head(max(8, round(N_TEXTS * scale))), setting)


def count_multiply_adds(model: keras.Model) -> int:
    """Return the products of one image with the kernels of a network's layers, padding included.

    Each number of a kernel is used once at each place of the output.
    """
    count = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            count += count_multiply_adds(layer)
        elif hasattr(layer, "kernel"):
            count += math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    return count


def _measure_text(movies: Movies, setting: Setting) -> Figure:
    """Compare passes of a network with the sizes of all-MiniLM-L6-v2 and random weights."""
    import keras_hub
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[PAD]", "[UNK]", *(f"tag{number}" for number in range(N_TAGS))]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    keras.utils.set_random_seed(1)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(words),
        num_layers=6,
        num_heads=12,
        hidden_dim=384,
        intermediate_dim=1536,
        max_sequence_length=128,
    )
    encoder = TextEncoder("tags", backbone=backbone, tokenizer=tokenizer, max_length=128)
    ratios, seconds = time_pairs(
        *(_make_pass(encoder, movies, setting, dtype) for dtype in ("bfloat16", "float32")),
        repeats=setting.repeats,
    )
    rounded, exact = (
        FeatureStore(setting.folder / "texts", compute_dtype=dtype).get_features(
            encoder, movies.table["tags"], verbose=0
        )
        for dtype in ("bfloat16", "float32")
    )
    # The vector of a text has the length 1.
    cosines = (rounded * exact).sum(axis=1)
    return Figure(
        "text network in bfloat16, random weights",
        "the same in float32",
        None,
        ratios,
        details={"texts": len(exact), "lowest_cosine": float(cosines.min())} | seconds,
    )


def _make_product(size: int, dtype: str) -> Callable[[], object]:
    matrix = tf.cast(tf.random.stateless_normal((size, size), (1, 2)), dtype)
    multiply = tf.function(lambda: tf.linalg.matmul(matrix, matrix))
    return lambda: multiply().numpy()


def _make_pass(
    encoder: Encoder, movies: Movies, setting: Setting, dtype: str
) -> Callable[[], object]:
    """Return a function that computes the features of all movies in a new store."""

    def compute() -> None:
        store = FeatureStore(tempfile.mkdtemp(dir=setting.folder), compute_dtype=dtype)
        store.compute_features([encoder], movies.table, verbose=0)

    return compute
