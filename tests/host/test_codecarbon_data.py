"""The labelled fallback tables, and their absence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from greenai.host import codecarbon_data
from greenai.host.codecarbon_data import CloudRegion, CountryMix, cloud_region, country_mix, cpu_tdp_w, data_folder

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """Name,TDP
AMD EPYC 7763,280
Intel Xeon E5-2680 v4,120.0
Intel Core i5 processor 14401E,65.0
"AMD Odd, name",45
Broken,27.29.5
Empty,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hardware").mkdir()
    (tmp_path / "hardware" / "cpu_power.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "private_infra").mkdir()
    return tmp_path


def write_mix(folder: Path, data: Any) -> None:
    (folder / "private_infra" / "global_energy_mix.json").write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "watts"),
    [
        ("AMD EPYC 7763 64-Core Processor", 280),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", 120),
        ("amd epyc 7763", 280),
        ("Intel(R) Core(TM) i5-14401E", None),
        ("Intel Core i5 processor 14401E", 65),
        ("AMD EPYC 776", None),
        ("AMD EPYC 77631", None),
        ("Broken", None),
        ("Empty", None),
        ("Name", None),
        ("", None),
    ],
)
def test_design_power(folder: Path, model: str, watts: float | None) -> None:
    assert cpu_tdp_w(model, folder) == watts


def test_missing_tables_answer_none(tmp_path: Path) -> None:
    assert cpu_tdp_w("AMD EPYC 7763", tmp_path) is None
    assert country_mix("DEU", tmp_path) is None


def test_without_the_package_every_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecarbon_data, "data_folder", lambda: None)
    assert cpu_tdp_w("AMD EPYC 7763") is None
    assert country_mix("DEU") is None


def test_a_table_in_another_encoding_is_no_table(folder: Path) -> None:
    (folder / "hardware" / "cpu_power.csv").write_bytes(b"Name,TDP\nCaf\xe9,10\n")
    assert cpu_tdp_w("AMD EPYC 7763", folder) is None


def test_country(folder: Path) -> None:
    write_mix(folder, {"DEU": {"country_name": "Germany", "carbon_intensity": 380.95, "year": 2023}})
    assert country_mix("DEU", folder) == CountryMix("Germany", 380.95, 2023)
    assert country_mix("XXX", folder) is None


@pytest.mark.parametrize(
    "data",
    [
        [],
        {"DEU": None},
        {"DEU": {}},
        {"DEU": {"country_name": "Germany", "carbon_intensity": None, "year": 2023}},
        {"DEU": {"country_name": "Germany", "carbon_intensity": "?", "year": 2023}},
    ],
)
def test_damaged_country_tables_answer_none(folder: Path, data: Any) -> None:
    write_mix(folder, data)
    assert country_mix("DEU", folder) is None


CLOUD = """provider,providerName,region,country_name,city,impact,source
gcp,Google,europe-west3,Germany,"Frankfurt, Main",345,https://x
gcp,Google,nowhere,Germany,Berlin,,https://x
gcp,Google,nothing,Germany,Berlin,0,https://x
gcp,Google,endless,Germany,Berlin,inf,https://x
"""


def test_cloud_regions(tmp_path: Path) -> None:
    assert cloud_region("gcp", "europe-west3", tmp_path) is None
    (tmp_path / "cloud").mkdir()
    (tmp_path / "cloud" / "impact.csv").write_text("\ufeff" + CLOUD, encoding="utf-8")
    assert cloud_region("gcp", "europe-west3", tmp_path) == CloudRegion(
        "Germany", "Frankfurt, Main", 345, "https://x"
    )
    for region in ("nowhere", "nothing", "endless", "elsewhere"):
        assert cloud_region("gcp", region, tmp_path) is None
    (tmp_path / "cloud" / "impact.csv").write_text("a,b\n1,2\n")
    assert cloud_region("gcp", "europe-west3", tmp_path) is None


def test_the_real_tables() -> None:
    assert cloud_region("gcp", "europe-west3") is not None
    assert data_folder() is not None
    assert cpu_tdp_w("AMD EPYC 9654 96-Core Processor") == 360
    mix = country_mix("DEU")
    assert mix is not None
    assert 200 < mix.intensity_g_per_kwh < 600
    assert mix.year >= 2020
