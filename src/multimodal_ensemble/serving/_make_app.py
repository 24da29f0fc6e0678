"""The server as an ASGI application."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from multimodal_ensemble.estimators import load_estimator
from multimodal_ensemble.images import FetchOptions
from multimodal_ensemble.serving._image_values import ImageReader
from multimodal_ensemble.serving._served_model import ServedModel
from multimodal_ensemble.serving._server import Server
from multimodal_ensemble.serving._serving_limits import ServingLimits


def make_app(
    model: Any,
    *,
    limits: ServingLimits | None = None,
    background: Any = None,
    image_folder: str | PathLike[str] | None = None,
    fetch: FetchOptions | None = None,
    allowed_hosts: Sequence[str] | None = None,
    trusted_columns: Sequence[str] = (),
    title: str = "",
) -> Starlette:
    """Return an ASGI application that answers requests with the predictions of an estimator.

    Parameters
    ----------
    model : MultimodalEnsemble, MultimodalClassifier or path
        A fitted estimator, or the file of a saved one.
    limits : ServingLimits, optional
        Bounds of a request and of all requests. Default: ``ServingLimits()``.
    background : DataFrame or mapping of str to sequence, optional
        Rows that stand for absent modalities in explanations, such as 50 training rows. Only
        networks that were trained without optional modalities and without `modality_dropout` need
        them.
    image_folder : path, optional
        Folder from which requests may name image files, by paths relative to it. Default: a request
        cannot name files of this machine.
    fetch : multimodal_ensemble.images.FetchOptions, optional
        Permission to fetch ``http:`` and ``https:`` addresses that a request names in place of an
        image, and the limits, such as the servers that are asked. Default: none is fetched.
    allowed_hosts : sequence of str, optional
        Names by which the server may be addressed, which protects a server on loopback from web
        pages of others. Default: all.
    trusted_columns : sequence of str, default=()
        Columns of encoders of other packages, which open no files that their values name.
    title : str, default=""
        Heading of the page. Default: the class of the estimator.

    Returns
    -------
    starlette.applications.Starlette
        The application. It starts one thread with its first request and ends it with its lifespan.

    Raises
    ------
    ValueError
        If an encoder of another package reads a column that is not in `trusted_columns`.
    ArtefactError, OSError
        If a file cannot be loaded.

    See Also
    --------
    serve : Run the application until it is stopped.

    Examples
    --------
    >>> from starlette.testclient import TestClient
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
    >>> from multimodal_ensemble.serving import make_app
    >>> X = {"tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25}
    >>> y = [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25
    >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
    >>> with TestClient(make_app(ensemble)) as client:
    ...     answer = client.post("/predict", json={"rows": [{"tags": ["war"]}]})
    >>> answer.json()["rows"][0]["labels"]
    ['Action']
    """
    if isinstance(model, str | PathLike):
        title = title or Path(model).name
        model = load_estimator(model)
    served = ServedModel(model, background=background, trusted_columns=trusted_columns)
    limits = ServingLimits() if limits is None else limits
    folder = None if image_folder is None else Path(image_folder)
    images = ImageReader(limits.max_pixels, image_folder=folder, fetch=fetch)
    server = Server(served, limits, images, allowed_hosts, title or served.kind)
    return server.make_app()
