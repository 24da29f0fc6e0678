"""The benchmark of GPUs runs without one, and finds features that differ."""

import keras
import pytest
import tensorflow as tf

from benchmarks import gpu


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_without_a_gpu_it_says_so(capsys):
    assert gpu.main([]) == 0
    assert capsys.readouterr().out == (
        "TensorFlow finds no GPU on this machine, so nothing was measured.\n"
    )


@pytest.mark.slow
def test_a_trial_run_on_the_cpu_prints_the_table(capsys):
    assert gpu.main(["--device", "CPU"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = [line.split(" | ") for line in lines if line.startswith("| a convolution")]
    assert [line[1] for line in table] == [
        "float32",
        "float32 with XLA",
        "mixed_bfloat16",
        "mixed_bfloat16 with XLA",
    ]
    assert {line[-1] for line in table} == {"equal |"}


@pytest.mark.slow
def test_features_that_differ_from_those_of_the_cpu_are_reported(capsys, monkeypatch):
    def with_other_weights(model, policy):
        changed = keras.models.clone_model(model)
        changed.set_weights([weight[::-1] - 0.3 for weight in model.get_weights()])
        return changed

    monkeypatch.setattr(gpu, "_with_policy", with_other_weights)
    assert gpu.main(["--device", "CPU"]) == 1
    assert capsys.readouterr().out.count("DIFFERS") == 2
