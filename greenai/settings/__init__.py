"""Settings: one typed object, each value with its origin; a wrong one is an error before any user code starts."""

from greenai.settings.load import load_settings
from greenai.settings.model import Settings

__all__ = ["Settings", "load_settings"]
