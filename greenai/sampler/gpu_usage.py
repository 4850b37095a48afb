"""Who computes on the GPUs: the tracked work's share of what runs on a GPU that others use too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.host.cgroup import is_container, own_cgroup

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.host import Host
    from greenai.host.nvml import NvmlApi

_WHOLE_GPU = "nvml:GPU-"


class GpuUsageReader:
    """Reads, about once a second, what share of each GPU's work is the tracked work's."""

    def __init__(self, host: Host, channels: Sequence[Channel], own_pids: Callable[[], Container[int]]) -> None:
        """Look up the GPUs.

        Args:
            host: The machine.
            channels: All channels that are read; only whole NVIDIA GPUs tell who uses them.
            own_pids: Gives the process numbers of the tracked work.
        """
        self._own_pids = own_pids
        self._api: NvmlApi | None = None
        self._since_us: dict[str, int] = {}
        cgroup = own_cgroup(host)
        # In a container the driver still speaks of the host's process numbers: they would be compared with ours.
        contained = cgroup is not None and is_container(cgroup)
        self._gpus = [] if contained else [c.id for c in channels if _is_whole_gpu(c)]
        if self._gpus:
            self._api = host.load_nvml().api  # the opened collector of this process has started it

    def read(self) -> Mapping[str, float]:
        """Return the share (0..1) by channel id, of those GPUs on which others computed since the last time."""
        shares: dict[str, float] = {}
        if self._api is None:
            return shares
        from greenai.host.nvml_devices import gpu_process_shares  # only where there is a driver

        own_pids = self._own_pids()
        for channel_id in self._gpus:
            try:
                handle = self._api.nvmlDeviceGetHandleByUUID(channel_id.partition(":")[2])
            except self._api.NVMLError:
                continue
            use = gpu_process_shares(self._api, handle, self._since_us.get(channel_id, 0))
            if use is None:
                continue
            self._since_us[channel_id] = use.newest_us
            share = use.share(own_pids)
            if share is not None and share < 1:
                shares[channel_id] = share
        return shares


def _is_whole_gpu(channel: Channel) -> bool:
    return channel.id.startswith(_WHOLE_GPU) and "/" not in channel.id
