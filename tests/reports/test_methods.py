"""Every method that a sensor of ours may put into a record has a name in the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.channel import Component
from greenai.core.collector import Available
from greenai.core.rest import METHOD
from greenai.sampler.opening import probe_all
from greenai.slurm.accounting import sensors
from greenai.testing.machines import MACHINES
from greenai_reports.texts_methods import METHODS

if TYPE_CHECKING:
    from pathlib import Path


def test_every_method_is_named(tmp_path: Path) -> None:
    methods = {METHOD}
    for number, build in enumerate(MACHINES.values()):
        for item in probe_all(build(tmp_path / str(number)).host)[0]:
            if isinstance(item.probe, Available):
                methods |= {channel.method for channel in item.probe.channels}
            item.collector.close()
    assert methods - set(METHODS) == set()
    assert len(methods) > 15


def test_every_method_of_slurms_accounting_is_named() -> None:
    meters = {f"slurm_{name}" for name in (*sensors._BY_NAME, "energy")}
    estimates = {f"slurm_estimate_{component}" for component in (Component.CPU, Component.DRAM, Component.GPU)}
    assert (meters | estimates) - set(METHODS) == set()
