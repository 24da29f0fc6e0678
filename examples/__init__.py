"""Runnable examples; each is a user of the public API."""
