"""The read side: every table, chart, report and comparison gets its data here."""

from greenai.analysis.analysis import Analysis

__all__ = ["Analysis"]
