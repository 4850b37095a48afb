"""What /proc says about the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.host.cpu import (
    busy_seconds,
    cpu_identity,
    cpu_model,
    cpu_vendor,
    is_virtual,
    logical_cpus,
    plain_model,
    sockets,
)
from greenai.host.machine import Host, SystemClock
from greenai.host.nvml import NvmlLoad

if TYPE_CHECKING:
    from pathlib import Path

INTEL = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz
physical id\t: 0
flags\t\t: fpu vme sse2

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz
physical id\t: 1
flags\t\t: fpu vme sse2
"""
ARM = "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd\n\nprocessor\t: 1\nBogoMIPS\t: 2000.00\n"


def host(folder: Path, cpu_info: str | None) -> Host:
    if cpu_info is not None:
        (folder / "cpuinfo").write_text(cpu_info, encoding="utf-8")
    return Host("n1", folder, folder, {}, SystemClock(), lambda: NvmlLoad(None, "none"))


def test_two_sockets(tmp_path: Path) -> None:
    machine = host(tmp_path, INTEL)
    assert cpu_model(machine) == "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz"
    assert (cpu_vendor(machine), logical_cpus(machine), sockets(machine)) == ("GenuineIntel", 2, 2)
    assert not is_virtual(machine)


IDS = "vendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nstepping\t: 1\n"
ARM_IDS = "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n"


@pytest.mark.parametrize(
    ("cpu_info", "identity"),
    [
        (IDS, "AuthenticAMD:26:2:1"),
        (IDS + "\n" + IDS.replace("26", "99"), "AuthenticAMD:26:2:1"),
        (ARM_IDS, "0x41:0xd0c"),
        (INTEL, None),
        (ARM, None),
        ("", None),
        (None, None),
    ],
)
def test_the_numbers_a_processor_gives_of_itself(
    tmp_path: Path, cpu_info: str | None, identity: str | None
) -> None:
    assert cpu_identity(host(tmp_path, cpu_info)) == identity


def test_a_virtual_machine(tmp_path: Path) -> None:
    assert is_virtual(host(tmp_path, INTEL.replace("vme", "hypervisor")))
    assert not is_virtual(host(tmp_path, INTEL.replace("vme", "nohypervisor")))


def test_a_machine_that_names_nothing(tmp_path: Path) -> None:
    machine = host(tmp_path, ARM)
    assert (cpu_model(machine), cpu_vendor(machine), logical_cpus(machine), sockets(machine)) == (None, None, 2, 1)
    assert not is_virtual(machine)


def test_no_cpuinfo_at_all(tmp_path: Path) -> None:
    machine = host(tmp_path, None)
    assert cpu_model(machine) is None
    assert logical_cpus(machine) >= 1
    assert sockets(machine) == 1


@pytest.mark.parametrize("blank", ["", " "])
def test_an_empty_name_is_no_name(tmp_path: Path, blank: str) -> None:
    assert cpu_model(host(tmp_path, f"processor\t: 0\nmodel name\t:{blank}\nstepping\t: 3\n")) is None


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "intel xeon e5-2680 v4"),
        ("AMD EPYC 7763 64-Core Processor", "amd epyc 7763"),
        ("Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", "intel core i7-8650u"),
        ("AMD Ryzen 7 4700U with Radeon Graphics", "amd ryzen 7 4700u"),
        ("Intel(R) Xeon(R) Platinum 8480+", "intel xeon platinum 8480+"),
        ("AMD Ryzen Threadripper PRO 3995WX 64-Cores", "amd ryzen threadripper pro 3995wx"),
        ("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", "intel core i7-1165g7"),
        ("12th Gen Intel(R) Core(TM) i7-1280P", "intel core i7-1280p"),
        ("", ""),
    ],
)
def test_plain_names(name: str, plain: str) -> None:
    assert plain_model(name) == plain


@given(name=st.text(max_size=40))
def test_plain_names_stay_plain(name: str) -> None:
    plain = plain_model(name)
    assert "  " not in plain
    assert plain == plain.strip()


def test_busy_time_leaves_out_idle_io_wait_steal_and_guest() -> None:
    assert busy_seconds("cpu  100 20 30 5000 600 7 3 900 50 5", 100) == pytest.approx(1.6)
    assert busy_seconds("cpu 1 2 3 4 5 6 7", 1) == 19


def test_idle_time_may_go_backwards() -> None:
    assert busy_seconds("cpu 1 0 0 5000 600 0 0", 1) == busy_seconds("cpu 1 0 0 4999 3 0 0", 1) == 1


@pytest.mark.parametrize("line", ["", "cpu0 1 2 3 4 5 6 7", "intr 1", "cpu", "cpu 1 2 3", "cpu a b c d e f g"])
def test_what_is_no_cpu_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        busy_seconds(line, 100)
