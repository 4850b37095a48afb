"""Macs with Apple silicon, as ``powermetrics -f plist`` describes them.

Sources: the keys and the first figures are those of a M1 with macOS 13.3 (graelo/pumas,
tests/data/powermetrics-output-m1.xml); macOS 12 has ``dram_energy`` and ``package_energy`` instead of
``combined_power`` (tlkh/asitop, parsers.py and #44). Others than root are told "powermetrics must be invoked as
the superuser".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.testing.machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

POWERMETRICS = "/usr/bin/powermetrics --samplers cpu_power -n 1 -i 1000 -f plist"
HAS_RULE = "/bin/test -e /etc/sudoers.d/greenai"

_PLIST = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
<key>is_delta</key><true/>
<key>elapsed_ns</key><integer>{elapsed_ns}</integer>
<key>hw_model</key><string>{model}</string>
<key>kern_osversion</key><string>{build}</string>
<key>timestamp</key><date>2023-04-01T13:18:36Z</date>
<key>processor</key>
<dict>
<key>clusters</key>
<array><dict><key>name</key><string>E-Cluster</string><key>freq_hz</key><real>1.02287e+09</real></dict></array>
{figures}
</dict>
<key>thermal_pressure</key><string>Nominal</string>
</dict>
</plist>
"""


def plist(
    figures: Mapping[str, float],
    *,
    elapsed_ns: int = 1_009_589_375,
    model: str = "MacBookPro17,1",
    build: str = "22E252",
) -> str:
    """Return what powermetrics prints.

    Args:
        figures: Content of ``processor`` beside the clusters; whole numbers become integers.
        elapsed_ns: Length of the sample.
        model: The Mac.
        build: The build of macOS.
    """
    lines = [
        f"<key>{key}</key><{'integer' if isinstance(value, int) else 'real'}>{value}"
        f"</{'integer' if isinstance(value, int) else 'real'}>"
        for key, value in figures.items()
    ]
    return _PLIST.format(elapsed_ns=elapsed_ns, model=model, build=build, figures="\n".join(lines))


def m1_with_macos_13(root: Path) -> FakeMachine:
    """Return a M1, run by root: the captured sample."""
    figures = {
        "cpu_energy": 89,
        "cpu_power": 44.0773,
        "gpu_energy": 31,
        "gpu_power": 15.3528,
        "ane_energy": 0,
        "ane_power": 0,
        "combined_power": 59.4301,
    }
    machine = FakeMachine(root, platform="darwin")
    machine.commands[POWERMETRICS] = plist(figures, elapsed_ns=2_019_178_750)
    return machine


def m1_with_macos_12(root: Path) -> FakeMachine:
    """Return a M1 whose macOS still tells the energy of the memory."""
    figures = {"ane_energy": 12, "cpu_energy": 640, "gpu_energy": 305, "dram_energy": 89, "package_energy": 1046}
    machine = FakeMachine(root, platform="darwin")
    machine.commands[POWERMETRICS] = plist(figures, elapsed_ns=1_000_000_000, build="21G115")
    return machine


def m4_with_a_rule_for_sudo(root: Path) -> FakeMachine:
    """Return a M4 Max whose user may run exactly this command; it ends with a NUL, like a stream."""
    figures = {"cpu_energy": 12_000, "gpu_energy": 38_000, "ane_energy": 1_000, "combined_power": 51_000.0}
    machine = FakeMachine(root, platform="darwin")
    machine.commands[HAS_RULE] = ""
    text = plist(figures, elapsed_ns=1_000_000_000, model="Mac16,5", build="25F84")
    machine.commands[f"/usr/bin/sudo -n {POWERMETRICS}"] = f"{text}\0"
    return machine


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "apple_m1_macos_13": m1_with_macos_13,
    "apple_m1_macos_12": m1_with_macos_12,
    "apple_m4_sudo_rule": m4_with_a_rule_for_sudo,
}
