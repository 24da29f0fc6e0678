"""Measurements in separate processes: import time, memory and a Dask worker; size of a store."""

import itertools
import tempfile
from pathlib import Path

from benchmarks._data import Movies, write_posters
from benchmarks._figure import Figure, at_least, time_pairs
from benchmarks._new_process import run_python, run_script
from multimodal_ensemble import FeatureStore, ImageEncoder

# Prints the peak resident memory of feature extraction, in kilobytes. getrusage is not used,
# because its value in a new process starts at that of the parent process.
MEMORY_SCRIPT = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from pathlib import Path
from multimodal_ensemble import FeatureStore, ImageEncoder
folder, store, count, how = sys.argv[1:]
paths = [str(Path(folder) / f"{number}.jpg") for number in range(int(count))]
encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=96, seed=1)
if how == "get_features":
    FeatureStore(store).get_features(encoder, paths, verbose=0)
else:
    FeatureStore(store).compute_features([encoder], {"poster": paths}, verbose=0)
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


# Prints the peak resident memory after the first fit and after the last, in kilobytes.
FITS_SCRIPT = """
import gc, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from pathlib import Path
import numpy as np
from multimodal_ensemble import BagOfWordsEncoder, ImageEncoder, MultimodalClassifier
rng = np.random.default_rng(0)
images = list(rng.integers(0, 256, (200, 40, 40, 3), dtype="uint8"))
tags = [[str(tag) for tag in rng.choice(9, 2, replace=False)] for _ in images]
labels = [["even" if len(set(row) & set("02468")) else "odd"] for row in tags]
for number in range(int(sys.argv[1])):
    poster = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32, seed=1)
    network = MultimodalClassifier([poster, BagOfWordsEncoder("tags")], epochs=2, verbose=0)
    network.fit({"poster": images, "tags": tags}, labels)
    del poster, network
    gc.collect()
    status = Path("/proc/self/status").read_text()
    if number == 0 or number == int(sys.argv[1]) - 1:
        print(status.partition("VmHWM:")[2].split()[0])
"""


def measure_import(repeats: int) -> Figure:
    """Return the figure of importing the package."""
    check = "import sys, multimodal_ensemble; assert 'tensorflow' not in sys.modules"
    run_python("-c", check)
    ratios, seconds = time_pairs(
        lambda: run_python("-c", "import multimodal_ensemble"),
        lambda: run_python("-c", "import numpy"),
        repeats=at_least(11, repeats),
    )
    return Figure(
        "import multimodal_ensemble (loads no TensorFlow)",
        "import numpy, each in a new process",
        2,
        ratios,
        details=seconds,
    )


def measure_memory(counts: tuple[int, int]) -> list[Figure]:
    """Return the figures of peak memory with many images, relative to few images."""
    few, many = counts
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        write_posters(many, Path(folder), width=64)
        for how in ("compute_features", "get_features"):
            peaks = {}
            # Both numbers are the same in a trial run.
            for count in sorted({few, many}):
                with tempfile.TemporaryDirectory() as store:
                    printed = run_script(MEMORY_SCRIPT, folder, store, count, how)
                peaks[count] = int(printed.split()[-1]) / 1024
            returned = many * 1024 * 4 / 2**20
            figures.append(
                Figure(
                    f"peak memory of {how}, {many:,} images",
                    f"the same with {few:,} images",
                    1.1,
                    [peaks[many] / peaks[few]],
                    details={
                        "peaks_mib": [*peaks.values()],
                        "returned_mib": returned if how == "get_features" else 0,
                        "backbone": "MobileNet, random weights, 96 px",
                    },
                )
            )
    return figures


def measure_fits(n_fits: int) -> Figure:
    """Return the figure of peak memory after many fits in one process."""
    first, last = (int(peak) / 1024 for peak in run_script(FITS_SCRIPT, n_fits).split())
    return Figure(
        f"peak memory of {n_fits} fits in one process",
        "the same after the first fit",
        1.05,
        [last / first],
        details={"peaks_mib": [first, last], "backbone": "MobileNet, random weights, 32 px"},
    )


def measure_store_size(store: FeatureStore, n_images: int, n_features: list[int]) -> Figure:
    """Return the figure of a store that contains only these features."""
    floor = 1.1 * 2 * n_images * sum(n_features)
    return Figure(
        "size of the store",
        "size of the float16 features plus 10 %",
        1,
        [store.n_bytes / floor],
        details={"images": n_images, "features": n_features, "bytes": store.n_bytes},
    )


def measure_dask(movies: Movies, encoder: ImageEncoder, folder: Path, repeats: int) -> Figure:
    """Return the figure of a Dask cluster with one worker process on the same cores."""
    import joblib
    from distributed import Client, LocalCluster

    numbers = itertools.count()
    paths = movies.table["poster"]

    def plain() -> None:
        store = FeatureStore(folder / f"dask-{next(numbers)}")
        store.compute_features([encoder], {"poster": paths}, verbose=0)

    def with_dask() -> None:
        with joblib.parallel_config("dask"):
            plain()

    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster),
    ):
        # The warm-up starts TensorFlow in the worker.
        ratios, seconds = time_pairs(with_dask, plain, repeats=at_least(3, repeats))
    return Figure(
        "feature extraction on a Dask worker process",
        "the same without Dask",
        1.1,
        ratios,
        details=seconds | {"images": len(paths)},
    )
