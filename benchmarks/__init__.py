"""Cost of the library as ratios measured within one run; `make bench` runs all benchmarks."""
