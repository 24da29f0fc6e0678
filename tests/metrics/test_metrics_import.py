"""The room says what it makes public; that it needs no Keras is in tests/test_package.py."""

from __future__ import annotations


def test_all_lists_the_public_functions():
    from multimodal_ensemble import metrics

    public = [name for name, value in vars(metrics).items() if callable(value)]
    assert metrics.__all__ == sorted(name for name in public if not name.startswith("_"))
