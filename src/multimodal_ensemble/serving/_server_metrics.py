"""Counts of a server, as text in the format of Prometheus."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

_PREFIX = "multimodal_ensemble"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


class _Histogram:
    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, label: str = "") -> Iterable[str]:
        total = 0
        joined = f"{label}," if label else ""
        for bound, count in zip([*self._bounds, "+Inf"], self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{{joined}le="{bound}"}} {total}'
        alone = f"{{{label}}}" if label else ""
        yield f"{name}_sum{alone} {self._sum:.6f}"
        yield f"{name}_count{alone} {total}"


class ServerMetrics:
    """Counts requests, rows and batches of one server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, _Histogram] = {}
        self._batch_rows = _Histogram(_ROWS)
        self._batch_requests = _Histogram(_ROWS)
        self.n_in_flight = 0

    def count_request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count an answer."""
        with self._lock:
            self._requests[endpoint, status] += 1
            self._seconds.setdefault(endpoint, _Histogram(_SECONDS)).observe(seconds)

    def count_batch(self, n_requests: int, n_rows: int) -> None:
        """Count rows that were scored together."""
        with self._lock:
            self._batch_requests.observe(n_requests)
            self._batch_rows.observe(n_rows)

    def as_text(self, n_waiting: int) -> str:
        """Return all counts."""
        with self._lock:
            lines = [
                *_head("requests_total", "counter", "Answers by endpoint and status."),
                *(
                    f'{_PREFIX}_requests_total{{endpoint="{endpoint}",status="{status}"}} {count}'
                    for (endpoint, status), count in sorted(self._requests.items())
                ),
                *_head("request_seconds", "histogram", "Seconds from the headers to the answer."),
            ]
            for endpoint, histogram in sorted(self._seconds.items()):
                lines += histogram.lines(f"{_PREFIX}_request_seconds", f'endpoint="{endpoint}"')
            lines += _head("batch_rows", "histogram", "Rows that were scored together.")
            lines += self._batch_rows.lines(f"{_PREFIX}_batch_rows")
            lines += _head("batch_requests", "histogram", "Requests that were scored together.")
            lines += self._batch_requests.lines(f"{_PREFIX}_batch_requests")
        for name, text, value in (
            (
                "requests_in_flight",
                "Requests without an answer so far.",
                self.n_in_flight,
            ),
            ("requests_waiting", "Requests that wait for the model.", n_waiting),
        ):
            lines += [*_head(name, "gauge", text), f"{_PREFIX}_{name} {value}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {_PREFIX}_{name} {text}", f"# TYPE {_PREFIX}_{name} {kind}"]
