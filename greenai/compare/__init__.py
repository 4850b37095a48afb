"""AI against classical: matching rules, statistics and the verdict. Pure."""

from greenai.compare.candidates import candidates, margins_for
from greenai.compare.verdict import compare

__all__ = ["candidates", "compare", "margins_for"]
