"""Repeatable attempts to break the library, each with counts: ``python -m benchmarks.stress.NAME``."""
