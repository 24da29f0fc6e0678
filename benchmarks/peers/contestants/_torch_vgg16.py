"""VGG16 for PyTorch with the weights that Keras wrote, for contestants that use PyTorch.

A user would take torchvision's weights; here, everybody has the same.
"""

from pathlib import Path

import h5py
import torch
from torchvision.models import vgg16

# Of ImageNet, in the order blue, green, red, as these weights expect it.
MEANS = (103.939, 116.779, 123.68)


class FrozenVGG16(torch.nn.Module):
    """From pixels 0..255 of shape (n, 3, height, width), blue first, to 512 features."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.layers = vgg16(weights=None).features
        convolutions = [layer for layer in self.layers if isinstance(layer, torch.nn.Conv2d)]
        with h5py.File(weights) as file, torch.no_grad():
            for number, layer in enumerate(convolutions):
                kept = file[f"layers/conv2d{f'_{number}' if number else ''}/vars"]
                layer.weight.copy_(torch.from_numpy(kept["0"][...]).permute(3, 2, 0, 1))
                layer.bias.copy_(torch.from_numpy(kept["1"][...]))
        self.register_buffer("means", torch.tensor(MEANS).reshape(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.layers(pixels - self.means).mean((2, 3))
