"""The time that ``greenai when`` names, given to a real sbatch."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from greenai.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

    from .cluster import Cluster

pytestmark = pytest.mark.slow


def test_sbatch_takes_the_time_as_it_is(
    cluster: Cluster, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hour_s = int(time.time()) // 3600 * 3600
    values = (500, 500, 500, 100, 500)
    rows = [f"{hour_s + number * 3600},{value}" for number, value in enumerate(values)]
    (shared / "grid.csv").write_text("\n".join(["start_unix_s,g_per_kwh", *rows]), encoding="utf-8")
    assert run(["factors", "fetch", "--zone", "DE", "--source", "csv", "--file", "grid.csv"]) == 0
    assert run(["when", "--zone", "DE", "--duration", "1h"]) == 0
    begin = capsys.readouterr().out.strip()
    job = cluster.run("sbatch", "--parsable", f"--begin={begin}", "--wrap", "true").stdout.strip()
    shown = cluster.run("scontrol", "show", "job", job).stdout
    eligible = re.search(r"EligibleTime=(\S+)", shown)
    assert eligible is not None
    assert eligible[1] == begin
    assert datetime.fromisoformat(begin).astimezone(UTC).timestamp() == hour_s + 3 * 3600


def test_without_a_forecast_no_job_is_submitted(cluster: Cluster, shared: Path) -> None:
    assert run(["when", "--zone", "DE", "--duration", "1h"]) == 1  # and nothing on stdout
    refused = cluster.run("sbatch", "--parsable", "--begin=", "--wrap", "true", check=False)
    assert refused.returncode != 0
    assert refused.stdout == ""
