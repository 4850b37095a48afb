"""AMD's management library through its Python module ``amdsmi``, and the protocol a fake must satisfy.

The module comes with ROCm (6.0 and newer: /opt/rocm/share/amd_smi); it is no dependency. Names, arities and the
keys of the dictionaries were compared with its versions 6.1.2, 6.4.3 and 7.0.2 (py-interface/amdsmi_interface.py).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Protocol

from greenai.core.units import NS_PER_S, UW_PER_W

_POWER_KEYS = ("socket_power", "current_socket_power", "average_socket_power")
_STATUS = re.compile(r"AMDSMI_STATUS_(\w+)")

# A counter is compared with the power once a second, in steps short enough for a trapezoid, and judged after ten.
_LOOK_NS = NS_PER_S
_LONGEST_STEP_NS = 5 * NS_PER_S
_JUDGE_NS = 10 * NS_PER_S
_LEAST_TIMES, _MOST_TIMES = 0.5, 2.0


class AmdSmiApi(Protocol):
    """The functions of ``amdsmi`` that greenai calls.

    ``amdsmi_shut_down`` is not among them: until ROCm 7 the library does not count how often it was initialised
    (amd_smi.cc), so shutting it down would take it away from the user's program; PyTorch uses it, too.
    """

    def amdsmi_init(self) -> None:  # noqa: D102
        ...

    def amdsmi_get_processor_handles(self) -> list[Any]:
        """Return the GPUs."""

    def amdsmi_get_gpu_device_bdf(self, processor_handle: Any) -> str:
        """Return the PCI address, e.g. ``0000:c1:00.0``."""

    def amdsmi_get_gpu_asic_info(self, processor_handle: Any) -> dict[str, Any]:
        """Return, among others, ``market_name``."""

    def amdsmi_get_energy_count(self, processor_handle: Any) -> dict[str, Any]:
        """Return ``energy_accumulator`` (before 6.2.1: ``power``) and ``counter_resolution`` in µJ."""

    def amdsmi_get_power_info(self, processor_handle: Any) -> dict[str, Any]:
        """Return ``socket_power`` (since 7), ``current_socket_power``, ``average_socket_power``: W or ``N/A``."""


class AmdSmiLoad(NamedTuple):
    """The library, initialised; or a short reason why there is none.

    Attributes:
        api: The library.
        reason: ``no_library`` (ROCm's Python module is not installed: nothing to report) or the error's own text.
    """

    api: AmdSmiApi | None
    reason: str = ""


NO_LIBRARY = "no_library"


def load_amdsmi() -> AmdSmiLoad:
    """Load and initialise the library. Never raises, never prints."""
    from importlib import import_module
    from importlib.util import find_spec

    # The module prints to standard output when it does not find its library, so that is looked for first.
    try:
        spec = find_spec("amdsmi")
    except (ImportError, ValueError):
        spec = None
    if spec is None or not _finds_library(spec.origin or ""):
        return AmdSmiLoad(None, NO_LIBRARY)
    try:
        api: AmdSmiApi | Any = import_module("amdsmi")
        api.amdsmi_init()
    except Exception as error:  # noqa: BLE001  # a broken driver must not reach the user's program
        return AmdSmiLoad(None, " ".join(str(error).split()) or type(error).__name__)
    return AmdSmiLoad(api)


def _finds_library(module_file: str) -> bool:
    """Try the places where the module looks (amdsmi_wrapper.py, ``find_smi_library``)."""
    import ctypes
    import os

    rocm = os.environ.get("ROCM_HOME") or os.environ.get("ROCM_PATH") or "/opt/rocm"
    beside = os.path.join(os.path.dirname(module_file), "libamd_smi.so")  # noqa: PTH118, PTH120  # no pathlib needed
    for place in (f"{rocm}/lib/libamd_smi.so", "libamd_smi.so", beside):
        try:
            ctypes.CDLL(place)
        except OSError:
            continue
        return True
    return False


class AmdSmiCounter:
    """The energy counter of a GPU, held against its power.

    ROCm's counters have stood still (ROCm/amdsmi#22) and counted wrongly (ROCm/amdsmi#38). Only time can tell, so
    the counter is believed at first. One that does not move although the GPU takes power gives nothing; one that
    counts less than half or more than twice of what the power adds up to is not believed any more.
    """

    def __init__(self, api: AmdSmiApi, handle: Any) -> None:
        self._api = api
        self._handle = handle
        self._last: tuple[int, int, int] | None = None  # time ns, energy µJ, power µW
        self._seen_ns = 0
        self._counted_uj = 0
        self._expected_uj = 0.0
        self._disbelieved = False

    def read(self, t_ns: int) -> int | str:
        """Return the count in µJ, or a reason why there is none.

        Args:
            t_ns: Monotonic time of the reading.
        """
        energy_uj = self.energy_uj()
        if isinstance(energy_uj, str):
            return energy_uj
        return self._fault(t_ns, energy_uj) or energy_uj

    def energy_uj(self) -> int | str:
        """Return the count in µJ as it is, or a reason why there is none.

        Before amdsmi 6.2.1 the key was ``power``; the counters of that time are not to be trusted.
        """
        try:
            count = self._api.amdsmi_get_energy_count(self._handle)
            energy_uj = round(count["energy_accumulator"] * count["counter_resolution"])
        except Exception as error:  # noqa: BLE001  # somebody else's library
            return status_of(error)
        return energy_uj if energy_uj > 0 else "amdsmi_zero"

    def close(self) -> None:
        """Do nothing."""

    def _fault(self, t_ns: int, energy_uj: int) -> str | None:
        if self._disbelieved:
            return "amdsmi_counter_against_power"
        if self._last is not None and t_ns - self._last[0] < _LOOK_NS:
            return None
        power_uw = AmdSmiPower(self._api, self._handle).read(t_ns)
        if isinstance(power_uw, str):
            self._last = None
            return None
        last, self._last = self._last, (t_ns, energy_uj, power_uw)
        if last is None or energy_uj < last[1]:
            return None
        step_ns, counted_uj = t_ns - last[0], energy_uj - last[1]
        if counted_uj == 0:
            return "amdsmi_counter_stuck"
        if step_ns <= _LONGEST_STEP_NS:
            self._seen_ns += step_ns
            self._counted_uj += counted_uj
            self._expected_uj += (last[2] + power_uw) / 2 * step_ns / NS_PER_S
        if self._seen_ns >= _JUDGE_NS:
            times = self._counted_uj / self._expected_uj
            self._disbelieved = not _LEAST_TIMES <= times <= _MOST_TIMES
        return "amdsmi_counter_against_power" if self._disbelieved else None


class AmdSmiPower:
    """The power of a GPU."""

    def __init__(self, api: AmdSmiApi, handle: Any) -> None:
        self._api = api
        self._handle = handle

    def read(self, _t_ns: int) -> int | str:
        """Return the power in µW, or a reason why there is none. 0 is none: a GPU that answers takes power."""
        try:
            info = self._api.amdsmi_get_power_info(self._handle)
            powers_w = [info.get(key) for key in _POWER_KEYS]
        except Exception as error:  # noqa: BLE001  # somebody else's library
            return status_of(error)
        power_w = next((power for power in powers_w if isinstance(power, (int, float)) and power > 0), None)
        return round(power_w * UW_PER_W) if power_w is not None else "amdsmi_no_power"

    def close(self) -> None:
        """Do nothing."""


def status_of(error: Exception) -> str:
    """Return a short machine-readable reason, e.g. ``amdsmi_not_supported``."""
    status = _STATUS.search(str(error))
    return f"amdsmi_{(status[1] if status else type(error).__name__).lower()}"
