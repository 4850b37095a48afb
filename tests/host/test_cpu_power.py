"""The table of processor families: who is found in it, its numbers, and how straight real load lines are."""

from __future__ import annotations

import csv
import re
from importlib import resources

import pytest

from greenai.host.codecarbon_data import cpu_tdp_w, data_folder
from greenai.host.cpu import plain_model
from greenai.host.cpu_power import CpuPower, cpu_power, table

# Watts at the wall, idle and at 10, 20, ... 100 % load: SPECpower_ssj2008 results by number.
LEVELS: dict[str, list[tuple[str, list[float]]]] = {
    "Xeon E5 v1 (Sandy Bridge)": [("20120306-00434", [54.1, 78.4, 88.5, 99.5, 115, 126, 143, 165, 196, 226, 243])],
    "Xeon E5 v4 (Broadwell)": [("20160705-00737", [86.4, 181, 215, 253, 287, 315, 340, 377, 421, 483, 562])],
    "Xeon Scalable 1 (Skylake)": [
        ("20170829-00781", [55, 125, 151, 176, 202, 232, 261, 301, 357, 421, 469]),
        ("20170829-00780", [52.3, 129, 147, 170, 195, 224, 255, 292, 344, 408, 457]),
        ("20171010-00789", [106, 245, 292, 336, 383, 437, 502, 583, 694, 820, 915]),
    ],
    "Xeon Scalable 2 (Cascade Lake)": [
        ("20190409-00952", [49.8, 114, 137, 159, 182, 208, 240, 277, 319, 376, 432])
    ],
    "Xeon Scalable 3 (Ice Lake)": [("20210601-01103", [127, 198, 226, 253, 281, 314, 354, 405, 464, 576, 619])],
    "Xeon E (Coffee Lake)": [("20190702-00979", [20, 25.1, 28.5, 32.3, 36.6, 41.7, 47.5, 55.9, 67.2, 81, 93.1])],
    "EPYC 7002 (Rome)": [
        ("20200728-01041", [54, 123, 139, 150, 161, 169, 181, 194, 207, 218, 231]),
        ("20190911-01005", [99.5, 117, 130, 141, 151, 164, 186, 205, 220, 236, 246]),
        ("20200324-01021", [72, 181, 207, 229, 250, 270, 294, 321, 347, 370, 393]),
    ],
    "EPYC 7003 (Milan)": [("20210221-01065", [58, 104, 120, 134, 150, 169, 197, 217, 236, 255, 272])],
}


def rows() -> list[dict[str, str]]:
    with (resources.files("greenai.host") / "cpu_power.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def family(identity: str, name: str = "") -> str | None:
    found = cpu_power(identity, plain_model(name))
    return found.family if found else None


@pytest.mark.parametrize(
    ("identity", "name", "expected"),
    [
        ("AuthenticAMD:26:2:1", "AMD EPYC", "EPYC 9005 (Turin)"),
        ("AuthenticAMD:26:17:0", "AMD EPYC 9965 192-Core Processor", "EPYC 9005 (Turin Dense)"),
        ("AuthenticAMD:25:17:1", "AMD EPYC 9654 96-Core Processor", "EPYC 9004 (Genoa)"),
        ("AuthenticAMD:25:160:2", "AMD EPYC 9754 128-Core Processor", "EPYC 97x4 (Bergamo)"),
        ("AuthenticAMD:25:1:1", "AMD EPYC 7763 64-Core Processor", "EPYC 7003 (Milan)"),
        ("AuthenticAMD:23:49:0", "AMD EPYC-Rome Processor", "EPYC 7002 (Rome)"),
        ("AuthenticAMD:23:1:2", "AMD EPYC 7601 32-Core Processor", "EPYC 7001 (Naples)"),
        ("AuthenticAMD:23:1:1", "AMD Ryzen 7 1800X Eight-Core Processor", "Ryzen desktop"),
        ("AuthenticAMD:25:33:0", "AMD Ryzen 9 5950X 16-Core Processor", "Ryzen desktop"),
        ("AuthenticAMD:25:8:2", "AMD Ryzen Threadripper PRO 5995WX 64-Cores", "Ryzen Threadripper"),
        ("AuthenticAMD:23:96:1", "AMD Ryzen 7 4700U with Radeon Graphics", "Ryzen notebook U"),
        ("AuthenticAMD:25:80:0", "AMD Ryzen 7 5800HS with Radeon Graphics", "Ryzen notebook H"),
        ("GenuineIntel:6:79:0", "Intel(R) Xeon(R) CPU @ 2.20GHz", "Xeon E5 v4 (Broadwell)"),
        ("GenuineIntel:6:85:3", "Intel(R) Xeon(R) CPU @ 2.00GHz", "Xeon Scalable 1 (Skylake)"),
        ("GenuineIntel:6:85:4", "Intel(R) Xeon(R) Platinum 8180 CPU @ 2.50GHz", "Xeon Scalable 1 (Skylake)"),
        (
            "GenuineIntel:6:85:7",
            "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz",
            "Xeon Scalable 2 (Cascade Lake)",
        ),
        ("GenuineIntel:6:85:11", "Intel(R) Xeon(R) Platinum 8380HL", "Xeon Scalable 2 (Cascade Lake)"),
        ("GenuineIntel:6:106:6", "Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz", "Xeon Scalable 3 (Ice Lake)"),
        ("GenuineIntel:6:143:8", "Intel(R) Xeon(R) Platinum 8480+", "Xeon Scalable 4 (Sapphire Rapids)"),
        ("GenuineIntel:6:207:2", "INTEL(R) XEON(R) PLATINUM 8592+", "Xeon Scalable 5 (Emerald Rapids)"),
        ("GenuineIntel:6:173:1", "Intel(R) Xeon(R) 6980P", "Xeon 6 P (Granite Rapids)"),
        ("GenuineIntel:6:158:10", "Intel(R) Xeon(R) E-2176G CPU @ 3.70GHz", "Xeon E (Coffee Lake)"),
        ("GenuineIntel:6:158:10", "Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", "Core desktop"),
        ("GenuineIntel:6:142:10", "Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", "Core notebook U"),
        ("GenuineIntel:6:170:4", "Intel(R) Core(TM) Ultra 7 155U", "Core notebook U"),
        ("GenuineIntel:6:140:1", "11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", "Core notebook G"),
        ("GenuineIntel:6:154:3", "12th Gen Intel(R) Core(TM) i7-1280P", "Core notebook P"),
        ("GenuineIntel:6:154:3", "12th Gen Intel(R) Core(TM) i7-12700H", "Core notebook H"),
        ("GenuineIntel:6:170:4", "Intel(R) Core(TM) Ultra 7 155H", "Core notebook H"),
        ("GenuineIntel:6:183:1", "13th Gen Intel(R) Core(TM) i9-13900K", "Core desktop"),
        ("0x41:0xd0c", "", "Ampere Altra and Graviton2 (Neoverse N1)"),
        ("0x41:0xd40", "", "Graviton3 (Neoverse V1)"),
        ("0x41:0xd4f", "", "Grace and Graviton4 (Neoverse V2)"),
        ("0x61:0x022", "", "Apple M"),
        ("GenuineIntel:15:6:1", "Common KVM processor", None),
        ("GenuineIntel:6:13:3", "QEMU Virtual CPU version 2.5+", None),
        ("AuthenticAMD:25:1:1", "", None),
        ("0x41:0xd08", "", None),
        ("", "", None),
    ],
)
def test_families(identity: str, name: str, expected: str | None) -> None:
    assert family(identity, name) == expected


def test_no_identity_is_no_family() -> None:
    assert cpu_power(None, "amd epyc 7742") is None


def test_the_figures_of_a_verified_row() -> None:
    found = cpu_power("AuthenticAMD:23:49:0", "amd epyc 7742")
    assert found == CpuPower(
        family="EPYC 7002 (Rome)",
        full_w_per_cpu=225 / 128,
        idle_share=0.34,
        low_rel=0.4,
        high_rel=0.6,
        verified=True,
        source="C: 7742 7702 7502; S: 24 servers; L: 20190911-01005 20200324-01021 20200728-01041",
    )


def test_every_row_makes_sense() -> None:
    for row, power in zip(rows(), table(), strict=True):
        re.compile(row["cpuid"])
        re.compile(row["name"])
        assert row["verified"] in ("yes", "no")
        assert row["source"]
        assert 0.3 < power.full_w_per_cpu < 10
        assert 0.05 <= power.idle_share <= 0.6
        assert float(row["low_w_per_cpu"]) <= power.full_w_per_cpu + 0.01
        assert float(row["high_w_per_cpu"]) >= power.full_w_per_cpu - 0.01
        assert 0.4 <= power.low_rel < 1
        assert 0.6 <= power.high_rel < 2
        if not power.verified:
            assert power.low_rel >= 0.5
            assert power.high_rel >= 1


def test_design_powers_agree_with_codecarbon() -> None:
    if data_folder() is None:
        pytest.skip("codecarbon is not installed")
    compared = 0
    for row in rows():
        known = [cpu_tdp_w(f"{maker} {row['model']}") for maker in ("Intel", "AMD", "AMD Ryzen", "Apple")]
        for tdp_w in filter(None, known):
            assert tdp_w == float(row["full_w"]), row["model"]
            compared += 1
    assert compared >= 25


def test_load_lines_are_as_straight_as_the_text_says() -> None:
    shares = {power.family: power.idle_share for power in table()}
    for name, servers in LEVELS.items():
        row = next(row for row in rows() if row["family"] == name)
        for number, watts in servers:
            assert number in row["source"]
            line = [(shares[name] + (1 - shares[name]) * level / 10) * watts[-1] for level in range(11)]
            off = [estimate / measured - 1 for estimate, measured in zip(line, watts, strict=True)]
            assert -0.40 < off[0] < 0.87, number
            assert all(-0.305 < deviation < 0.285 for deviation in off[1:]), (number, off)
            if "EPYC" in name:
                assert all(-0.245 < deviation < 0.015 for deviation in off[1:]), (number, off)
