"""Families of series as OpenTelemetry's protocol carries them."""

from __future__ import annotations

from greenai.core.exposition import Family, Point, SeriesKind
from greenai.core.otlp import metrics_request
from greenai.core.version import __version__


def test_each_host_is_a_resource_and_a_counter_says_since_when() -> None:
    labels = {"host.name": "n1", "hw.id": "rapl:0"}
    energy = Family("hw.energy", SeriesKind.COUNTER, "J", "E.", (Point(2, labels, 5),))
    power = Family("hw.power", SeriesKind.GAUGE, "W", "P.", (Point(3.0, {"host.name": "n2"}),))
    spool = Family("greenai.spool.size", SeriesKind.GAUGE, "By", "S.", (Point(4),))
    ours, first, second = metrics_request([energy, power, spool], 9)["resourceMetrics"]

    def attribute(key: str, value: str) -> dict[str, object]:
        return {"key": key, "value": {"stringValue": value}}

    assert ours["resource"]["attributes"] == [attribute("service.name", "greenai")]
    assert first == {
        "resource": {"attributes": [attribute("service.name", "greenai"), attribute("host.name", "n1")]},
        "scopeMetrics": [
            {
                "scope": {"name": "greenai", "version": __version__},
                "metrics": [
                    {
                        "name": "hw.energy", "description": "E.", "unit": "J",
                        "sum": {
                            "dataPoints": [
                                {
                                    "attributes": [attribute("hw.id", "rapl:0")],
                                    "startTimeUnixNano": "5000000", "timeUnixNano": "9", "asDouble": 2.0,
                                }
                            ],
                            "aggregationTemporality": 2, "isMonotonic": True,
                        },
                    }
                ],
            }
        ],
    }  # fmt: skip
    (gauge,) = second["scopeMetrics"][0]["metrics"]
    assert gauge["gauge"] == {"dataPoints": [{"attributes": [], "timeUnixNano": "9", "asDouble": 3.0}]}


def test_nothing_known_is_nothing_said() -> None:
    assert metrics_request([Family("hw.power", SeriesKind.GAUGE, "W", "P.", ())], 9) == {"resourceMetrics": []}
