"""Damage that hit the name of a host in a journal's first line."""

from __future__ import annotations

from typing import Any

from greenai.core.account import account
from greenai.journal.reader import read_run


def test_a_damaged_name_of_a_channels_host_costs_nothing(journals: Any) -> None:
    folder = journals.run("aaaa")
    (path,) = folder.glob("*.jsonl")
    text = path.read_text()
    # The first is the journal's own, the second that of its first channel.
    first, second, rest = text.split('"host":"fake"', 2)
    path.write_text(f'{first}"host":"fake"{second}"host":"6ake"{rest}')
    log = read_run(folder)
    assert {channel.host for process in log.processes for channel in process.channels} == {"fake"}
    whole = account(log).record.energy
    path.write_text(text)
    assert account(read_run(folder)).record.energy == whole
