"""Images through a pretrained network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders._augmentation import Augmentation, check_augmentation
from multimodal_ensemble.encoders._check_image_network import check_backbone
from multimodal_ensemble.encoders._dense_head import DenseHead
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._feature_layers import check_layers, check_pooling
from multimodal_ensemble.encoders._image_backbone import check_trainable_layers
from multimodal_ensemble.encoders._image_settings import check_preprocessing
from multimodal_ensemble.encoders._network_encoder import NetworkEncoder
from multimodal_ensemble.encoders._unreadable_images import FETCHING_THREADS, UnreadableImages
from multimodal_ensemble.images import FetchOptions, ImageBatch, read_images

_READING_THREADS = 2
# Increase it when the reader returns other pixels for the same file: stored features then expire.
_READER_VERSION = 1
# The module of the class does without Keras.
keras.saving.register_keras_serializable(package=PACKAGE)(FetchOptions)


@keras.saving.register_keras_serializable(package=PACKAGE)
class ImageEncoder(NetworkEncoder):
    """Images, through a frozen pretrained network and one dense layer.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str, optional
        The column of images: file paths, addresses, data URIs, bytes, `PIL.Image.Image` objects,
        arrays, or mappings with "bytes" or "path"; see `multimodal_ensemble.images.read_image`.
        Default: `name`.
    backbone : str, path or keras.Model, default="VGG16"
        Name of a network in `keras.applications`, or of a preset of KerasHub, such as
        ``"dinov2_small"``; a folder in the layout of KerasHub or of Hugging Face; a handle such as
        ``"hf://user/model"``; or a model of your own from RGB images to feature maps, tokens or
        feature vectors, of which the encoder uses a copy. Of a preset for images and texts, the
        network of the images is used.
    weights : str, path or None, default="imagenet"
        ``"imagenet"`` for the pretrained weights (those of a preset may come from other data),
        the path of a weights file, or None for random weights. A model of your own keeps its
        weights unless a path is given.
    image_size : int or (int, int), optional
        Side, or height and width, that images are resized to, in pixels. Default: the size that
        the network was trained with; for a model of your own, the size of its input, or that of an
        image converter passed as `preprocessing`.
    pooling : {"avg", "max", "cls"} or sequence of them, default="avg"
        How feature maps or tokens are reduced to one vector: mean, maximum, or the class token;
        several are joined. Of a KerasHub network, mean and maximum leave out class and register
        tokens, and "cls" is the mean where there is no class token. Of a model of your own, "cls"
        is the first token.
    layers : int or sequence of str, default=1
        Layers whose pooled feature maps are joined. A number counts the sizes of feature maps from
        the last, and takes the last maps of each size: 1 is the output of the network, 2 adds the
        last maps that are larger, and so on. Or names of layers; an error lists them.
    mirror : bool, default=False
        Whether features are the mean over an image and its mirror image, which doubles the time.
    preprocessing : {"imagenet", "unit", None} or keras.layers.Layer, default="imagenet"
        ``"imagenet"`` prepares pixels as in the training of the network (and does nothing with a
        model of your own), ``"unit"`` scales them to 0..1, None leaves them at 0..255. Or a layer,
        such as `keras.layers.Rescaling`, or an image converter of KerasHub. It is part of the
        backbone, so that a saved model takes RGB 0..255.
    trainable_layers : int or "all", default=0
        Number of the backbone's last layers that training changes; see ``unfreeze``.
    head : callable, optional
        The trainable layers; see `Encoder`. Default:
        ``DenseHead(input_dropout=0.8, scaling="log")``.
    augmentation : Augmentation, optional
        Augmented views of the training images. Default: none.
    on_error : {"raise", "blank", "drop", "missing"}, default="raise"
        How an image that cannot be read is handled: ``"raise"`` an error, use a black image
        (``"blank"``), ``"drop"`` its row, or count it as ``"missing"`` (with ``optional=True``
        only). All but ``"raise"`` read every image once before training and list the failures in
        `unreadable`.
    resampling : str, optional
        Filter for resizing; see `multimodal_ensemble.images.read_image`. Default: that of the
        preset or image converter, otherwise ``"bilinear"``.
    root : path, optional
        Folder that relative paths start from. Default: the working directory.
    seed : int, optional
        Makes random weights repeatable. Default: they follow from the seed of the model that is
        built first, such as a classifier's `random_state`, and differ between calls without one.
    optional : bool, default=False
        Whether rows may lack this modality; see `Encoder`.
    items : {None, "mean", "max", "attention"}, default=None
        None for one image per row. Otherwise each value is a list of images, and the features of a
        row are the mean or the maximum over its images, or a mean with weights that
        `AttentionPooling` learns. An image that is ``"missing"`` is left out of its list, and a row
        with an empty list lacks the modality. It needs a frozen backbone, and no `augmentation`.
    max_items : int, default=8
        Maximum number of images per row with ``items="attention"``. Further images are left out,
        with a warning.
    delimiter : str, optional
        Splits values that are strings into lists of paths, for example ``"|"``; only with `items`.
    fetch : multimodal_ensemble.images.FetchOptions, optional
        Permission to fetch images at addresses of the web, and the limits. Default: such addresses
        cannot be read.

    Raises
    ------
    ValueError
        If an option is out of range; the message lists the values that are allowed.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble import ImageEncoder
    >>> encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    >>> encoder.encode([np.zeros((300, 200, 3), dtype="uint8")]).shape
    (1, 32, 32, 3)
    >>> encoder.feature_shape
    (1024,)
    >>> encoder.get_params()["head__units"]
    128
    """

    unit = "image"

    def __init__(
        self,
        name: str,
        *,
        column: str | None = None,
        backbone: str | Path | keras.Model = "VGG16",
        weights: str | Path | None = "imagenet",
        image_size: int | Sequence[int] | None = None,
        pooling: str | Sequence[str] = "avg",
        layers: int | Sequence[str] = 1,
        mirror: bool = False,
        preprocessing: str | keras.layers.Layer | None = "imagenet",
        trainable_layers: int | str = 0,
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        augmentation: Augmentation | None = None,
        on_error: str = "raise",
        resampling: str | None = None,
        root: str | Path | None = None,
        seed: int | None = None,
        optional: bool = False,
        items: str | None = None,
        max_items: int = 8,
        delimiter: str | None = None,
        fetch: FetchOptions | None = None,
    ) -> None:
        head = DenseHead(input_dropout=0.8, scaling="log") if head is None else head
        super().__init__(
            name, column=column, head=head, optional=optional, items=items, max_items=max_items
        )
        check_backbone(backbone, preprocessing)
        check_pooling(pooling)
        check_layers(layers)
        check_choice(mirror, (True, False), name="mirror")
        check_preprocessing(preprocessing)
        check_choice(on_error, ("raise", "blank", "drop", "missing"), name="on_error")
        if on_error == "missing" and not optional:
            msg = "on_error='missing' needs optional=True, which lets rows lack an image."
            raise ValueError(msg)
        if delimiter is not None and (items is None or not delimiter):
            msg = f"delimiter={delimiter!r} must not be empty, and needs items=..., such as 'mean'."
            raise ValueError(msg)
        limits: Any = fetch
        if not isinstance(limits, FetchOptions | None):
            msg = f"fetch must be a multimodal_ensemble.images.FetchOptions. Received {fetch!r}."
            raise ValueError(msg)
        check_trainable_layers(trainable_layers, mirror=mirror, items=items)
        check_augmentation(augmentation, items=items)
        self.backbone = backbone
        self.weights = weights
        self.image_size = image_size
        self.pooling = pooling
        self.layers = layers
        self.mirror = mirror
        self.preprocessing = preprocessing
        self.trainable_layers = trainable_layers
        self.augmentation = augmentation
        self.on_error = on_error
        self.resampling = resampling
        self.root = root
        self.seed = seed
        self.delimiter = delimiter
        self.fetch = fetch
        self._unreadable = UnreadableImages(name, on_error, fetch)

    @property
    def unreadable(self) -> dict[str, str]:
        """Reasons by image that could not be read so far; empty with ``on_error="raise"``."""
        return self._unreadable.reasons

    @property
    def _item_shape(self) -> tuple[int, int, int]:
        """Height, width and the three colours."""
        return (*self._size, 3)

    def _encode_items(self, items: Any) -> NDArray[np.uint8]:
        """Read images as RGB, uint8, or raise an ImageReadError that names an image."""
        items = list(items)
        batch = self._read(items)
        self._unreadable.handle(batch, items, self.root)
        return batch.images

    def _find_unusable_items(self, items: Any) -> dict[int, str]:
        """Return the images that cannot be read, with ``on_error="drop"``.

        All new images are read also with ``on_error="blank"``, so that `unreadable` is complete.
        """
        if self.on_error not in ("drop", "blank"):
            return {}
        found = self._unreadable.find(list(items), self._read, self.root)
        return found if self.on_error == "drop" else {}

    def _find_missing_items(self, items: Any) -> NDArray[np.bool_]:
        """Return the images that cannot be read, with ``on_error="missing"``."""
        if self.on_error != "missing":
            return super()._find_missing_items(items)
        missing = Encoder.find_missing(self, items)
        given = np.flatnonzero(~missing)
        images = [items[position] for position in given]
        missing[given[list(self._unreadable.find(images, self._read, self.root))]] = True
        return missing

    def count_unreadable(self, values: Any) -> tuple[int, int]:
        """Count the images among some values that are in `unreadable`; open no file.

        Parameters
        ----------
        values : sequence
            Raw values.

        Returns
        -------
        n_images : int
            Number of different images.
        n_rows : int
            Number of values; several rows may have one file.
        """
        values = list(values)
        if self.optional:
            missing = Encoder.find_missing(self, values)
            values = [value for value, lacks in zip(values, missing, strict=True) if not lacks]
        if self.items is None:
            values = [[value] for value in values]
        lists = self._split_lists(values)
        if self.on_error == "missing":
            lists = lists.without(Encoder.find_missing(self, lists.items))
        return self._unreadable.count(lists, self.root)

    def _digest_items(self, items: Any) -> list[bytes]:
        """Return a digest of the bytes of each image file.

        With ``on_error="blank"``, all images that cannot be read have one digest in common.
        """
        return self._unreadable.digests(list(items), self._read, self.root)

    def encoding_config(self) -> dict[str, Any]:
        """Return the version of the reader and the filter; the size is part of the backbone.

        Returns
        -------
        dict of str to JSON value
            Part of the key of stored features.
        """
        return {"reader_version": _READER_VERSION, "resampling": self._resampling}

    def input_description(self) -> dict[str, Any]:
        """Return the meaning of the input of an exported model, and how images are resized.

        Returns
        -------
        dict of str to JSON value
            The ``meaning`` of the numbers, how to ``resize`` images, and the ``resampling`` filter.
        """
        several = " of several images; -1 throughout absent ones"
        return {
            "meaning": f"RGB pixels, 0 to 255{'' if self.items is None else f',{several}'}",
            "resize": "upright, over white, stretched to height and width without a crop",
            "resampling": self._resampling,
        }

    def without_backbone(self) -> Self:
        """Return a copy without a network; relative paths start from the same folder as before.

        Returns
        -------
        ImageEncoder
            A copy that reads and augments images in the same way.
        """
        small = copy.copy(self)
        small.root = Path("." if self.root is None else self.root).resolve()
        small.image_size, small.resampling = self._item_shape[:2], self._resampling
        small.backbone, small.weights = "VGG16", None
        small._backbone = small._list_backbone = small._preset = None
        small._unreadable = UnreadableImages(self.name, self.on_error, self.fetch)
        # A copy of an augmentation holds no model that was built already.
        small.augmentation = copy.copy(self.augmentation)
        return small

    def _read(self, values: Sequence[Any]) -> ImageBatch:
        return read_images(
            values,
            self._item_shape[:2],
            on_error="blank",
            resampling=self._resampling,
            root=self.root,
            workers=_READING_THREADS if self.fetch is None else FETCHING_THREADS,
            warn=False,
            fetch=self.fetch,
        )
