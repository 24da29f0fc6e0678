"""What the library costs, as ratios inside one run; `make bench` runs it."""
