"""The device that TensorFlow computes on."""

import keras
import tensorflow as tf


def use_gpu(*, mixed_precision: bool) -> str:
    """Let TensorFlow allocate GPU memory as needed, and return the name of the device."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if mixed_precision:
        keras.mixed_precision.set_global_policy("mixed_float16")
    return ", ".join(gpu.name for gpu in gpus) or "CPU"
