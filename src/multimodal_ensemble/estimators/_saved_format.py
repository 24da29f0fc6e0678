"""The name and the version of the format of saved estimators."""

FORMAT = "multimodal_ensemble estimator"
VERSION = 1
