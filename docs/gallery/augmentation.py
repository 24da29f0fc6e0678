"""
Augmented views
===============

Six views of each of two icons, as a network sees them in training.
"""

import keras
import numpy as np
from matplotlib.figure import Figure

from multimodal_ensemble import Augmentation
from shared import X_train, picture

augmentation = Augmentation(
    [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.1, fill_mode="nearest"),
        keras.layers.RandomZoom(0.2, fill_mode="nearest"),
    ],
    views=6,
)
names = ["umbrella-beach", "truck-fast"]
figure = Figure(figsize=(7, 2.4), layout="constrained")
axes = figure.subplots(len(names), 7)
for line, name in zip(axes, names):
    images = picture.encode(X_train["picture"].loc[[name]].repeat(6))
    views = augmentation.apply(images, [name.encode()] * 6, np.arange(6))
    titles = ["original", *(f"view {view}" for view in range(1, 7))]
    for axis, image, title in zip(line, [images[0], *views], titles):
        axis.imshow(image.astype("uint8"))
        axis.set_title(title, fontsize=9)
        axis.axis("off")

# %%
# The views of an image are always the same, so that a `FeatureStore` can keep their
# features. Look at them before training: a view that no longer shows what the label
# says is too strong.
