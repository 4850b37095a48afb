"""Sampling: the opened sensors of a host, and the loop that reads them into a journal."""

from greenai.sampler.loop import SamplerThread, sample
from greenai.sampler.opening import open_sensors
from greenai.sampler.sensors import Sensors
from greenai.sampler.slow import SlowSampler
from greenai.sampler.usage import UsageReader, resolve_scope

__all__ = ["SamplerThread", "Sensors", "SlowSampler", "UsageReader", "open_sensors", "resolve_scope", "sample"]
