"""The same job done with this library and with other libraries: ``python -m benchmarks.peers``."""
