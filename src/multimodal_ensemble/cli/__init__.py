"""The command ``multimodal-ensemble``, also as ``python -m multimodal_ensemble``.

It reads files of rows, calls the estimators, and prints what they return. TensorFlow, pandas and
scikit-learn are imported once a command needs them.
"""

from multimodal_ensemble.cli._entry import main

__all__ = ["main"]
