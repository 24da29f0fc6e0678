"""The public names of `metrics`. tests/test_package.py checks that it does not load Keras."""

from __future__ import annotations


def test_all_lists_the_public_names():
    from multimodal_ensemble import metrics

    public = [name for name, value in vars(metrics).items() if callable(value)]
    assert metrics.__all__ == sorted(name for name in public if not name.startswith("_"))
