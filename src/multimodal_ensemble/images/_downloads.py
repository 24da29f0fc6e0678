"""Files that this process has downloaded, by address."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

# About 20,000 posters.
KEPT_BYTES = 2**30


class Downloads:
    """Files in a temporary folder that is deleted at the end of the process.

    The content of an image is needed for its digest, and again for its pixels. Files that were not
    used for the longest time are deleted after `KEPT_BYTES` of others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        # By address, the least recently used first: the file and its size.
        self._files: OrderedDict[str, tuple[Path, int]] = OrderedDict()
        self._n_bytes = 0

    def get(self, address: str) -> bytes | None:
        with self._lock:
            if address not in self._files:
                return None
            self._files.move_to_end(address)
            path, _ = self._files[address]
        try:
            return path.read_bytes()
        except OSError:
            # Another thread, or somebody who clears temporary files, has deleted it.
            return None

    def keep(self, address: str, content: bytes) -> None:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="multimodal-ensemble-"))
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            path = self._folder / hashlib.sha256(address.encode()).hexdigest()
            # Another thread may be reading the same file, so it is replaced when it is complete.
            partial = path.with_suffix(".part")
            try:
                partial.write_bytes(content)
                partial.replace(path)
            except OSError:
                # A full disk only costs a second download.
                partial.unlink(missing_ok=True)
                return
            self._n_bytes += len(content) - self._files.pop(address, (path, 0))[1]
            self._files[address] = path, len(content)
            while self._n_bytes > KEPT_BYTES:
                _, (oldest, n_bytes) = self._files.popitem(last=False)
                self._n_bytes -= n_bytes
                oldest.unlink(missing_ok=True)


DOWNLOADS = Downloads()
