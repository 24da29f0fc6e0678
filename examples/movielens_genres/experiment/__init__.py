"""The experiment: models and controls on splits, and what they came to."""
