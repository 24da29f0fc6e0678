"""Repeatable attempts to break the library: ``python -m benchmarks.stress.NAME`` prints counts."""
