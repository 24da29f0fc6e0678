"""Images: files, bytes, PIL images and arrays become RGB pixels of one size.

`read_image` reads one image, `read_images` reads many under a policy for the unreadable ones,
and `content_digest` names an image by its content, for caches.
"""

from multimodal_ensemble.images._batch import (
    ImageBatch,
    ImageFailure,
    UnreadableImageWarning,
    read_images,
)
from multimodal_ensemble.images._digest import content_digest
from multimodal_ensemble.images._read import read_image
from multimodal_ensemble.images._source import ImageSource

__all__ = [
    "ImageBatch",
    "ImageFailure",
    "ImageSource",
    "UnreadableImageWarning",
    "content_digest",
    "read_image",
    "read_images",
]
