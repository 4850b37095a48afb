"""Live power and energy for monitoring systems: asked for by Prometheus, or sent by OpenTelemetry's protocol."""

from greenai.monitoring.monitor import Monitor

__all__ = ["Monitor"]
