"""The report of a study: one page from saved results."""
