"""An invented MovieLens, drawn by code."""

from ._sample import write_sample

__all__ = ["write_sample"]
