"""The share of a run in the making of its hardware."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.carbon.embodied import embodied_share
from greenai.carbon.footprint import footprint
from greenai.core.channel import Component, Quality
from greenai.core.hardware import Device, Hardware, hardware_of
from greenai.core.record import Site, Work
from greenai.core.run_energy import ChannelEnergy, Energy

from .test_footprint import RECORD, SETTINGS

HOUR_S = 3600.0
CARD = "GPU-0 NVIDIA H100 80GB HBM3"


def gpu(host: str, name: str, *, counted: bool = True, part_of: str | None = None) -> Device:
    return Device(host, Component.GPU, name, counted, part_of)


def test_the_example_of_the_specification() -> None:
    """1000 kg, 4 years, 1 hour: about 28 g (Green Software Foundation, SCI specification 1.1.0)."""
    grams = 1000 * 1000 / (4 * 8760)
    assert grams == pytest.approx(28.5, abs=0.1)
    made = embodied_share(Hardware(1, (), 1.0), HOUR_S, "server")
    assert made.low_g == pytest.approx(grams)  # the table's lower end is 1000 kg
    assert made.central_g == pytest.approx(3660 / 1000 * grams)
    assert made.high_g == pytest.approx(4320 / 1000 * grams)
    assert [(part.device, part.count, part.verified) for part in made.parts] == [("server", 1, False)]


def test_each_card_and_each_machine_counts_for_the_run_s_share() -> None:
    made = embodied_share(Hardware(2, (CARD, "GPU-1 NVIDIA H100 80GB HBM3"), 0.5), HOUR_S, "server")
    of_kg = 1000 / (4 * 8760) * 0.5
    assert made.central_g == pytest.approx((2 * 3660 + 2 * 164) * of_kg)
    assert made.high_g == pytest.approx((2 * 4320 + 2 * 575) * of_kg)
    assert [(part.device, part.count) for part in made.parts] == [("server", 2), ("nvidia-h100-sxm-80gb", 2)]
    assert made.share == 0.5


@pytest.mark.parametrize(
    ("hardware", "machine", "says"),
    [
        (Hardware(1, (), 1.0), None, "config set machine"),
        (Hardware(1, (), 1.0), "mainframe", '"mainframe"'),
        (Hardware(1, ("GPU-0 NVIDIA GeForce 256",), 1.0), "server", "GeForce 256"),
        (Hardware(1, (), None), "server", "part of the machine"),
    ],
)
def test_what_is_not_known_is_no_zero(hardware: Hardware, machine: str | None, says: str) -> None:
    made = embodied_share(hardware, HOUR_S, machine)
    assert (made.central_g, made.low_g, made.high_g, made.parts) == (None, None, None, ())
    assert made.reason is not None
    assert says in made.reason.en


def test_hardware_of_channels() -> None:
    devices = [
        gpu("n1", "GPU-0 A"),
        gpu("n1", "GPU-0 A"),  # counter and gauge of one card
        gpu("n2", "GPU-0 A", counted=False, part_of="module"),
        gpu("n2", "GPU-1 A", counted=False),  # another job's
        Device("n1", Component.CPU, "package-0", counted=True, part_of=None),
    ]
    assert hardware_of(devices, 2, "machine", 5.0, 10.0) == Hardware(2, ("GPU-0 A", "GPU-0 A"), 1.0)
    assert hardware_of(devices, 2, "cgroup", 5.0, 10.0).share == 0.5
    assert hardware_of(devices, 2, "cgroup", None, 10.0).share is None
    assert hardware_of(devices, 2, "process", 0.0, 0.0).share is None
    assert hardware_of([], 0, "process", 11.0, 10.0) == Hardware(1, (), 1.0)


@given(st.floats(0, 1e9), st.floats(0, 1), st.integers(1, 1000))
def test_the_range_holds_the_figure(duration_s: float, share: float, machines: int) -> None:
    made = embodied_share(Hardware(machines, (CARD,), share), duration_s, "laptop")
    assert made.low_g is not None
    assert made.central_g is not None
    assert made.high_g is not None
    assert 0 <= made.low_g <= made.central_g <= made.high_g


def test_in_the_footprint_beside_and_never_in_the_grams() -> None:
    row = ChannelEnergy(
        "nvml:0", "n", Component.GPU, CARD, 1.0, 1.0, 1.0, Quality.MEASURED, "m", 0.0, 0.0, True, None
    )
    energy = Energy(3.6e6, 3.6e6, 3.6e6, 1.0, "machine", 3.6e6, (row,))
    record = replace(
        RECORD,
        energy=energy,
        duration_s=HOUR_S,
        site=Site("DE", machine="server"),
        work=Work(10, "document", None),
    )
    emissions, _ = footprint(record, SETTINGS)
    assert emissions.location_g == pytest.approx(352)
    assert emissions.embodied_g == pytest.approx((3660 + 164) * 1000 / (4 * 8760))
    published = replace(record, emissions=emissions).to_dict("en")["emissions"]
    assert emissions.embodied_g is not None
    assert published["sci_g_per_unit"] == pytest.approx((352 + emissions.embodied_g) / 10)
    assert [part["device"] for part in published["embodied"]] == ["server", "nvidia-h100-sxm-80gb"]
    without, _ = footprint(replace(record, site=Site("DE")), SETTINGS)
    assert (without.embodied_g, without.embodied) == (None, ())
    published = replace(record, emissions=without).to_dict("en")["emissions"]
    assert published["sci_g_per_unit"] is None
    assert "config set machine" in published["embodied_reason"]
    nothing_done = replace(record, emissions=emissions, work=Work(0, None, None))
    assert nothing_done.to_dict("en")["emissions"]["sci_g_per_unit"] is None
