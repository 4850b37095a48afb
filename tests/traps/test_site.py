"""The place of a run: no network, a proxy that never answers, the grid, the PUE."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from greenai.carbon.footprint import with_footprint
from greenai.core.units import kwh
from greenai.settings import load_settings
from greenai.testing.machines import MACHINES

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

TRACKED = """
import json, time
import greenai
began = time.monotonic()
with greenai.track("x", zone="DE") as run:
    time.sleep(0.3)
emissions = run.result.to_dict()["emissions"]
print(json.dumps([run.result.energy_j, emissions["location_g"], emissions["factor"]["zone"], time.monotonic() - began]))
"""


def grams_per_kwh(out: str) -> float:
    energy_j, grams, zone, took_s = __import__("json").loads(out)
    assert zone == "DE"
    assert took_s < 3
    return float(grams / kwh(energy_j))


def test_without_a_network_every_run_is_in_quebec(start: Callable[..., subprocess.Popen[str]]) -> None:
    """codecarbon: 3.9 g/kWh, 97 times below Germany's; eco2ai: the constructor raises."""
    unshare = ["unshare", "-n"] if os.getuid() == 0 else ["unshare", "-Urn"]
    offline, online = start(TRACKED, *unshare), start(TRACKED)
    found = [grams_per_kwh(process.communicate(timeout=20)[0]) for process in (offline, online)]
    assert found[0] == pytest.approx(found[1])
    assert found[0] > 200


def test_without_a_zone_nobody_guesses_one(play: Any) -> None:
    """codecarbon asks a web service where it is, carbontracker takes the world's mean. Here: NULL and the reason."""
    record = with_footprint(play().run(10).record, load_settings())
    emissions = record.to_dict()["emissions"]
    assert (emissions["location_g"], emissions["factor"]) == (None, None)
    assert "greenai config set zone" in emissions["reason"]


def test_a_slow_proxy_holds_up_the_training(
    start: Callable[..., subprocess.Popen[str]], until: Callable[..., None], tmp_path: Path
) -> None:
    """codecarbon (timeouts of 0.5 s, then Quebec), transformers#13231: nothing here may connect to anything."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        proxy = f"http://127.0.0.1:{mute.getsockname()[1]}"
        names = [f"{scheme}_proxy" for scheme in ("http", "https", "all", "ftp")]
        proxies = {spelling: proxy for name in names for spelling in (name, name.upper())}
        process = start(TRACKED, env={**os.environ, **proxies, "GREENAI_INGEST": "background"})
        out, err = process.communicate(timeout=20)
        assert err == ""
        assert grams_per_kwh(out) > 200
        until(lambda: list((tmp_path / "spool").glob("*/ingested")))
        mute.setblocking(False)
        with pytest.raises(BlockingIOError):
            mute.accept()


@pytest.mark.parametrize("pue", [None, 1.0, 1.5])
def test_the_pue_is_applied_to_energy_or_twice_or_always(play: Any, pue: float | None) -> None:
    """carbontracker: always x 1.58; ecologits: twice; codecarbon#1320: to energy, not to power. Here: grams, once."""
    stage = play(MACHINES["rapl/rapl_xeon_psys"])
    for number, zone in enumerate(("intel-rapl:0", "intel-rapl:2")):
        stage.rapl(zone, 100.0 + number)
        stage.rapl(f"{zone}:0", 20.0)
    run = stage.run(60, meta={"zone": "DE", "pue": pue, "electricity_price_per_kwh": 0.3, "currency": "EUR"})
    record = with_footprint(run.record, load_settings())
    assert record.energy_j == pytest.approx(60 * 241)  # IT energy, whatever the PUE
    assert record.mean_power_w == pytest.approx(241)
    assert record.emissions is not None
    assert record.emissions.factor is not None
    assert record.cost is not None
    factor = pue or 1.0
    assert record.emissions.location_g == pytest.approx(
        kwh(60 * 241) * factor * record.emissions.factor.value_g_per_kwh
    )
    assert record.cost.amount == pytest.approx(kwh(60 * 241) * factor * 0.3)
    assert record.emissions.pue_assumed is (pue is None)
