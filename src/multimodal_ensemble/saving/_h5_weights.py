"""Check an HDF5 file of weights before Keras reads it.

Keras reads any object of the file by its name. HDF5 files may name other files on this machine, as
links, virtual datasets or external storage, and may claim large arrays that take no space in them.
"""

from __future__ import annotations

from typing import IO, Any, NoReturn

# The kinds of dtype that weights have; V is bfloat16.
_KINDS = "biufV"


def count_h5_values(file: IO[bytes]) -> int:
    """Check all groups and datasets of an HDF5 file, and return the number of values in them.

    Raises
    ------
    ValueError
        If any part is stored outside the file, is reached twice, or claims more bytes than it has.
    """
    # Imported here, so that importing the package does not import it.
    import h5py

    seen: set[Any] = set()

    def count(group: Any, path: str) -> int:
        n_values = 0
        for name in group:
            at = f"{path}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                _refuse(at, "is a link to another object or file")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                _refuse(at, "is a part of the file that has another name also")
            seen.add(address)
            n_values += count(item, at) if isinstance(item, h5py.Group) else _size_of(item, at)
        return n_values

    with h5py.File(file, "r") as opened:
        return count(opened, "")


def _size_of(item: Any, path: str) -> int:
    import h5py

    if not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype.kind not in _KINDS:
        _refuse(path, "is neither a group nor an array of numbers")
    if item.is_virtual or item.external:
        _refuse(path, "is stored in another file")
    if item.chunks is not None:
        # One chunk may be far larger than the array.
        _refuse(path, "is stored in chunks or compressed, which Keras never does")
    if item.id.get_storage_size() < item.size * item.dtype.itemsize:
        _refuse(path, "claims more bytes than it has in the file")
    return int(item.size)


def _refuse(path: str, problem: str) -> NoReturn:
    msg = f"its part {path[:200]!r} {problem}"
    raise ValueError(msg)
