"""Slow sensors (a vendor's program, the network) in threads of their own: they never hold up the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from greenai.core.reading import Gap
from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Channel
    from greenai.core.collector import Collector
    from greenai.core.reading import Reading
    from greenai.host import Host

_FASTEST_S = 1.0
_STALE_BEATS = 3


class BackgroundReader:
    """Reads an opened collector again and again; ``read`` gives what it said last, with the time it was said.

    A reading that is handed out twice has the same time twice, and the arithmetic takes it once.
    """

    def __init__(self, host: Host, collector: Collector, channels: Sequence[Channel]) -> None:
        self._host = host
        self._collector = collector
        self._channels = channels
        renewals_s = [channel.update_s for channel in channels if channel.update_s is not None]
        self._pause_s = max([_FASTEST_S, *renewals_s])
        self._latest: list[Reading] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"greenai-{collector.name}", daemon=True)
        self._thread.start()

    def read(self) -> list[Reading]:
        """Return the last readings; gaps where there is none yet, or none any more."""
        latest, now_ns = self._latest, self._host.clock.mono_ns()
        if latest is None:
            return [Gap(channel.id, now_ns, "not_read_yet") for channel in self._channels]
        oldest_ns = now_ns - int(_STALE_BEATS * self._pause_s * NS_PER_S)
        return [r if r.t_mono_ns >= oldest_ns else Gap(r.channel_id, now_ns, "sensor_hangs") for r in latest]

    def close(self) -> None:
        """End the thread. One that hangs in its sensor is left behind; it is a daemon."""
        self._stop.set()
        self._thread.join(timeout=0.2)
        if not self._thread.is_alive():
            self._collector.close()

    def _loop(self) -> None:
        while True:
            try:
                self._latest = self._collector.read()
            except Exception as error:  # noqa: BLE001  # somebody else's code
                now_ns = self._host.clock.mono_ns()
                self._latest = [Gap(channel.id, now_ns, type(error).__name__) for channel in self._channels]
            if self._stop.wait(self._pause_s):
                return
