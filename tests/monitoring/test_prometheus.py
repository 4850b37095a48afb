"""Debian's Prometheus scrapes greenai and writes on to Debian's VictoriaMetrics; both are held against the journal."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.analysis import Analysis
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, PowerReading
from greenai.core.vocabulary import Role
from greenai.host import this_host
from greenai.journal import format as f
from greenai.journal.writer import JournalWriter
from greenai.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.slow

INSTALL = "not installed: apt-get install -y --no-install-recommends prometheus victoria-metrics"
CPU = Channel(
    id="rapl:package-0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
    device="package-0", host="n1", method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=2_000_000_000,
)  # fmt: skip
MEMORY = Channel(
    id="est:memory", collector="memory_estimate", component=Component.DRAM, kind=Kind.POWER,
    quality=Quality.ESTIMATED, device="memory", host="n1", method="memory_per_gigabyte", uncertainty_rel=0.5,
    max_power_uw=100_000_000,
)  # fmt: skip
STEP_J = 2 / 64  # two series, each rounded
RUN = "01a2029800000000aaaa"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(INSTALL)
    return found


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def get(url: str, **query: str) -> str:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        return str(answer.read().decode())


@contextmanager
def running(command: Sequence[str], ready_url: str, log: Path) -> Iterator[None]:
    """A server, from when it answers until it is told to end."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=log.parent)
    try:
        for _ in range(600):
            with suppress(OSError):
                get(ready_url)
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        else:
            pytest.fail(log.read_text())
        yield
    finally:
        process.terminate()
        process.wait(20)


class RealTimeRun:
    """A run that writes its journal five times a second: 100 W measured, 5 W estimated."""

    def __init__(self, spool: Path) -> None:
        host = this_host(load_settings().knowledge)
        self._channels = tuple(replace(channel, host=host.name) for channel in (CPU, MEMORY))
        folder = spool / RUN
        folder.mkdir(parents=True)
        meta = {"name": "fit", "project": "churn"}
        self._journal = JournalWriter(folder, host, Role.OWNER, self._channels, 0.2, meta)
        self._begin_ns = time.monotonic_ns()
        self._write(f.START)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """End it; return its joules, as they are by definition."""
        self._over.set()
        self._thread.join()
        end_ns = self._write(f.STOP, state="completed", exit_code=0, error=None)
        self._journal.close()
        return 105 * (end_ns - self._begin_ns) / 1e9

    def _tick(self) -> None:
        while not self._over.wait(0.2):
            self._write(f.TICK)

    def _write(self, kind: str, **more: Any) -> int:
        t_ns = time.monotonic_ns()
        counter = CounterReading(CPU.id, t_ns, 7 + (t_ns - self._begin_ns) // 10)
        self._journal.readings(kind, t_ns, [counter, PowerReading(MEMORY.id, t_ns, 5_000_000)], **more)
        return t_ns


def configuration(target: str, write_to: str) -> str:
    return f"""
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: greenai
    static_configs:
      - targets: ["{target}"]
remote_write:
  - url: http://{write_to}/api/v1/write
    queue_config:
      batch_send_deadline: 1s
"""


def test_joules_arrive_and_are_those_of_the_journal(tmp_path: Path) -> None:
    prometheus, promtool, victoria = program("prometheus"), program("promtool"), program("victoria-metrics")
    ours, theirs, second = free_address(), free_address(), free_address()
    (tmp_path / "prometheus.yml").write_text(configuration(ours, second))
    settings = load_settings()
    run = RealTimeRun(settings.spool)

    def ask(query: str) -> list[tuple[dict[str, str], float]]:
        answer = json.loads(get(f"http://{theirs}/api/v1/query", query=query))
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def wait_for(query: str, wanted: float) -> None:
        last_s = time.monotonic() + 30
        while not (found := ask(query)) or found[0][1] != pytest.approx(wanted, abs=STEP_J):
            assert time.monotonic() < last_s, (found, wanted)
            time.sleep(0.2)

    with (
        running(
            [sys.executable, "-m", "greenai", "metrics", "--listen", ours], f"http://{ours}/metrics", tmp_path / "ours"
        ),
        running(
            [
                victoria, f"-storageDataPath={tmp_path / 'victoria'}", f"-httpListenAddr={second}",
                "-search.latencyOffset=0s",
            ],
            f"http://{second}/health", tmp_path / "second",
        ),
        running(
            [
                prometheus, f"--config.file={tmp_path / 'prometheus.yml'}", f"--web.listen-address={theirs}",
                f"--storage.tsdb.path={tmp_path / 'prometheus'}",
            ],
            f"http://{theirs}/-/ready", tmp_path / "theirs",
        ),
    ):  # fmt: skip
        wait_for('floor(count_over_time(hw_energy_joules_total{quality="measured"}[1m]) / 8)', 1)
        assert sorted(value for _, value in ask("hw_power_watts")) == pytest.approx([5, 100], rel=0.05)
        ((_, rate_w),) = ask('rate(hw_energy_joules_total{quality="measured"}[6s])')
        assert rate_w == pytest.approx(100, rel=0.15)  # scrapes and readings do not fall together
        for query in documented_queries():
            assert ask(query), query
        true_j = run.end()
        wait_for('greenai_run_info{state="completed"}', 1)
        opened = Analysis.open(settings)
        record = opened.run(RUN)
        opened.close()
        assert record.energy_j == pytest.approx(true_j, rel=1e-3)
        assert record.energy_j is not None
        wait_for("sum(hw_energy_joules_total)", record.energy_j)
        labels = {metric["quality"]: metric for metric, _ in ask("hw_energy_joules_total")}
        assert labels.keys() == {"measured", "estimated"}
        assert labels["measured"]["run"] == RUN
        assert [value for _, value in ask("resets(hw_energy_joules_total[5m])")] == [0, 0]
        assert ask("hw_power_watts") == []
        assert [value for _, value in ask("up")] == [1]
        (target,) = json.loads(get(f"http://{theirs}/api/v1/targets"))["data"]["activeTargets"]
        assert target["lastError"] == ""
        assert victoria_joules(second) == pytest.approx(record.energy_j, abs=STEP_J)
        text = get(f"http://{ours}/metrics")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def documented_queries() -> list[str]:
    """Return what docs/monitoring.md says to ask."""
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    found = re.findall(r"^(sum.*?)(?: +#.*)?$", page, re.MULTILINE)
    assert len(found) == 3
    return found


def victoria_joules(address: str) -> float:
    """Return the last value of each series that was written on to VictoriaMetrics, added up."""
    last_s = time.monotonic() + 30
    total_j, before_j = 0.0, -1.0
    while total_j != before_j or total_j == 0:
        assert time.monotonic() < last_s
        before_j = total_j
        time.sleep(2)
        get(f"http://{address}/internal/force_flush")
        lines = get(f"http://{address}/api/v1/export", **{"match[]": "hw_energy_joules_total"}).splitlines()
        total_j = sum(json.loads(line)["values"][-1] for line in lines)
    return total_j
