"""Cost of the library as ratios measured within one run; `make bench` runs all benchmarks."""

# Before TensorFlow is imported, as users do it, because this turns oneDNN on.
import multimodal_ensemble  # noqa: F401
