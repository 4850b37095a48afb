"""Figures for monitoring as OpenTelemetry's protocol carries them: OTLP/HTTP, JSON encoding.

Source: opentelemetry.io/docs/specs/otlp, and metrics.proto there; in JSON, integers of 64 bits are strings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.core.exposition import SeriesKind
from greenai.core.units import NS_PER_MS
from greenai.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

    from greenai.core.exposition import Family, Point

_HOST = "host.name"
_CUMULATIVE = 2  # AGGREGATION_TEMPORALITY_CUMULATIVE


def metrics_request(families: Iterable[Family], now_ns: int) -> dict[str, Any]:
    """Return an ExportMetricsServiceRequest.

    Hardware metrics belong to a host, so each host is a resource of its own; what belongs to none is greenai's.

    Args:
        families: What to send.
        now_ns: When it was so, nanoseconds since the epoch.
    """
    by_host: dict[str, list[dict[str, Any]]] = {}
    for family in families:
        points: dict[str, list[dict[str, Any]]] = {}
        for point in family.points:
            points.setdefault(point.labels.get(_HOST, ""), []).append(_point(point, now_ns))
        for host, of_host in points.items():
            by_host.setdefault(host, []).append(_metric(family, of_host))
    return {"resourceMetrics": [_resource(host, metrics) for host, metrics in sorted(by_host.items())]}


def _resource(host: str, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    said = {"service.name": "greenai", **({_HOST: host} if host else {})}
    return {
        "resource": {"attributes": _attributes(said)},
        "scopeMetrics": [{"scope": {"name": "greenai", "version": __version__}, "metrics": metrics}],
    }


def _metric(family: Family, points: list[dict[str, Any]]) -> dict[str, Any]:
    described = {"name": family.name, "description": family.about, "unit": family.unit}
    if family.kind is SeriesKind.GAUGE:
        return {**described, "gauge": {"dataPoints": points}}
    return {
        **described,
        "sum": {"dataPoints": points, "aggregationTemporality": _CUMULATIVE, "isMonotonic": True},
    }


def _point(point: Point, now_ns: int) -> dict[str, Any]:
    begun = {} if point.start_ms is None else {"startTimeUnixNano": str(point.start_ms * NS_PER_MS)}
    labels = {name: value for name, value in point.labels.items() if name != _HOST}
    return {
        "attributes": _attributes(labels),
        **begun,
        "timeUnixNano": str(now_ns),
        "asDouble": float(point.value),
    }


def _attributes(labels: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in labels.items()]
