"""Predict a movie's genres from its poster and its user-generated tags."""
