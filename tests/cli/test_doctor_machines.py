"""``greenai doctor`` on every fake machine: what it says is complete, in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from greenai.cli.app import App
from greenai.cli.commands.doctor import all_measured, print_sensors, sensors_as_json
from greenai.core.channel import Quality
from greenai.sampler.diagnosis import diagnose
from greenai.testing.machines import MACHINES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("machine_name", MACHINES)
def test_doctor(machine_name: str, tmp_path: Path, capsys: Any) -> None:
    machine = MACHINES[machine_name](tmp_path)
    found = diagnose(machine.host, 1.0, sleep=machine.clock.advance)
    for language in ("de", "en"):
        app = App(language)
        print_sensors(app, found)
        said = capsys.readouterr().out
        for fact in found.channels:
            assert fact.channel.method in said
            if fact.verified_on is None and fact.channel.quality is not Quality.ESTIMATED:
                assert ("nicht an Hardware geprüft" if language == "de" else "not verified on hardware") in said
        for incident in found.incidents:
            assert app.say(incident.message) in said
            if incident.remedy:
                assert app.say(incident.remedy) in said
        data = sensors_as_json(app, found)
        assert [channel["id"] for channel in data["channels"]] == [fact.channel.id for fact in found.channels]
        shares = [data["trial"][f"{quality.value}_share"] for quality in Quality]
        assert shares == [None, None, None] or sum(shares) == pytest.approx(1)
    if all_measured(found):
        assert found.trial is None or found.trial.energy.measured_share in (None, pytest.approx(1))
