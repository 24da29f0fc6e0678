"""Predict genres of movies from their posters and tags."""
