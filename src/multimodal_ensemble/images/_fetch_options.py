"""The limits within which images are fetched from the web."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any, Self

from multimodal_ensemble._validation import check_at_least


@dataclass(frozen=True)
class FetchOptions:
    """Permission to fetch images at addresses of the web, and its limits.

    A table of unknown origin can name any address, so nothing is fetched without these options.
    Only servers with public addresses are asked: each address that a name stands for, also after a
    redirect, is checked, and the connection is made to the address that was checked. Proxies are
    not used, and no cookies or passwords are sent.

    A process fetches each address once, and keeps up to 1 GiB of files in a temporary folder until
    it ends. An address that failed is not asked again for a minute. Features are stored by the
    content of images, not by their addresses.

    Parameters
    ----------
    max_bytes : int, default=20971520
        Largest size of a file, in bytes.
    timeout : float, default=20.0
        Seconds for one image, from the connection to the last byte, with all redirects. The
        time of the name service is not limited.
    max_redirects : int, default=3
        Largest number of redirects. None leads from ``https:`` to ``http:``.
    hosts : sequence of str, optional
        Names of the servers that may be asked, also after redirects. Default: all.

    Raises
    ------
    ValueError
        If a limit is out of range.

    Examples
    --------
    >>> from multimodal_ensemble import ImageEncoder
    >>> from multimodal_ensemble.images import FetchOptions
    >>> options = FetchOptions(max_bytes=2**20, hosts=["images.example.org"])
    >>> ImageEncoder("poster", fetch=options).fetch.timeout
    20.0
    """

    max_bytes: int = 20 * 2**20
    timeout: float = 20.0
    max_redirects: int = 3
    hosts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_at_least(self.max_bytes, 1, name="max_bytes")
        check_at_least(self.max_redirects, 0, name="max_redirects")
        timeout: Any = self.timeout
        is_number = isinstance(timeout, Real) and not isinstance(timeout, bool)
        if not is_number or not 0 < timeout < math.inf:
            msg = f"timeout must be a number of seconds above 0. Received timeout={self.timeout!r}."
            raise ValueError(msg)
        if self.hosts is not None and (
            isinstance(self.hosts, str) or not all(isinstance(host, str) for host in self.hosts)
        ):
            msg = f"hosts must be a list of names. Received hosts={self.hosts!r}."
            raise ValueError(msg)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor, which Keras can write to JSON.

        Returns
        -------
        dict
            Values by name.
        """
        config = asdict(self)
        return config | {"hosts": None if self.hosts is None else [*self.hosts]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the options that `get_config` described.

        Parameters
        ----------
        config : mapping
            Values by name.

        Returns
        -------
        FetchOptions
            New options.
        """
        return cls(**config)
