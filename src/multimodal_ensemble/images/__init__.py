"""Read images from files, bytes, PIL images and arrays as RGB pixels of one size.

`read_image` reads one image. `read_images` reads many, with a policy for images that cannot be
read. `content_digest` identifies an image by its content, for use as a cache key.
"""

from multimodal_ensemble.images._batch import (
    ImageBatch,
    ImageFailure,
    UnreadableImageWarning,
    read_images,
)
from multimodal_ensemble.images._data_uri import decode_data_uri, is_data_uri
from multimodal_ensemble.images._digest import content_digest
from multimodal_ensemble.images._fetch_options import FetchOptions
from multimodal_ensemble.images._read import check_image_size, read_image
from multimodal_ensemble.images._remote import is_remote, is_web_address
from multimodal_ensemble.images._source import (
    IMAGE_SUFFIXES,
    ImageSource,
    local_path,
    looks_like_image,
    source_name,
)
from multimodal_ensemble.images._thumbnail import make_thumbnail
from multimodal_ensemble.images._web import fetch_file

__all__ = [
    "IMAGE_SUFFIXES",
    "FetchOptions",
    "ImageBatch",
    "ImageFailure",
    "ImageSource",
    "UnreadableImageWarning",
    "check_image_size",
    "content_digest",
    "decode_data_uri",
    "fetch_file",
    "is_data_uri",
    "is_remote",
    "is_web_address",
    "local_path",
    "looks_like_image",
    "make_thumbnail",
    "read_image",
    "read_images",
    "source_name",
]
