"""The data in tables and figures: those of the study's figures 2 to 6 on one HTML page."""

from ._page import PAGE_NAME, write_analysis
from ._tables import Analysis, analyse

__all__ = ["PAGE_NAME", "Analysis", "analyse", "write_analysis"]
