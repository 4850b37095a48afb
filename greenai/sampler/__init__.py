"""Sampling: the opened sensors of a host, and the loop that reads them into a journal."""

from greenai.sampler.loop import SamplerThread, sample
from greenai.sampler.sensors import Sensors, open_sensors

__all__ = ["SamplerThread", "Sensors", "open_sensors", "sample"]
