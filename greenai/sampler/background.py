"""Slow sensors (a vendor's program, the network) in threads of their own: they never hold up the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from greenai.core.reading import Gap
from greenai.core.units import NS_PER_S
from greenai.sampler.guard import start_quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Channel
    from greenai.core.collector import Collector
    from greenai.core.reading import Reading
    from greenai.host import Host

_USUAL_PAUSE_S = 1.0
_FASTEST_S = 0.1
_STALE_ROUNDS = 3


class BackgroundReader:
    """Reads an opened collector again and again; ``read`` gives what it said last, with the time it was said.

    A reading that is handed out twice has the same time twice, and the arithmetic takes it once.

    Attributes:
        pause_s: How long it waits between two rounds, at least, seconds.
    """

    def __init__(self, host: Host, collector: Collector, channels: Sequence[Channel]) -> None:
        self._host = host
        self._collector = collector
        self._channels = channels
        renewals_s = [channel.update_s or _USUAL_PAUSE_S for channel in channels]
        self.pause_s = max(_FASTEST_S, min(renewals_s))
        self._latest: list[Reading] | None = None
        self._latest_ns = 0
        self._round_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"greenai-{collector.name}", daemon=True)
        if not start_quietly(self._thread):
            raise RuntimeError("can't start new thread")

    def read(self) -> list[Reading]:
        """Return the last readings; gaps where there is none yet, or none any more."""
        latest, now_ns = self._latest, self._host.clock.mono_ns()
        if latest is None:
            return [Gap(channel.id, now_ns, "not_read_yet") for channel in self._channels]
        if now_ns - self._latest_ns > _STALE_ROUNDS * (self.pause_s + 2 * self._round_s) * NS_PER_S:
            return [Gap(reading.channel_id, now_ns, "sensor_hangs") for reading in latest]
        return latest

    def close(self) -> None:
        """End the thread. One that hangs in its sensor is left behind; it is a daemon."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=0.2)
        if not self._thread.is_alive():
            self._collector.close()

    def _loop(self) -> None:
        while True:
            began_ns = self._host.clock.mono_ns()
            try:
                latest = self._collector.read()
            except (Exception, SystemExit) as error:  # noqa: BLE001  # somebody else's code
                latest = [Gap(channel.id, began_ns, type(error).__name__) for channel in self._channels]
            self._latest_ns = self._host.clock.mono_ns()
            self._round_s = (self._latest_ns - began_ns) / NS_PER_S
            self._latest = latest
            # Asking takes the controller's time too: not more than half of it.
            if self._stop.wait(max(self.pause_s, self._round_s)):
                return
