"""Predict the categories of icons from their pictures, search terms and names."""
