"""Servers whose management controller speaks Redfish, cut down to the documents that lead to a power.

Sources of the layouts:

* Dell iDRAC9: PowerControl as in dell/iDRAC-Redfish-Scripting issue 34, EnvironmentMetrics beside it.
* Dell iDRAC10: no Power any more, after mrlhansen/idrac_exporter issue 202; the sensor of the total as in Dell's
  OpenManage integrations.
* HPE iLO 5: paths that end in a slash, PowerControl without a name (libredfish2, tests/power.json).
* Lenovo XCC: "Server Power Control", "CPU Sub-system Power" and "Memory Sub-system Power" (the names in Lenovo's
  xclarity monitoring plugins).
* A server with an HGX baseboard: Chassis_0 and HGX_Chassis_0 (NVIDIA DPS documentation); the types are assumed.
* Fujitsu iRMC: the total in Oem.ts_fujitsu (mrlhansen/idrac_exporter issue 121).
* OpenBMC: "Chassis Power Control" (ibm-openbmc/dev issue 288).
* HPE Cray: "Node Power Control" and "Accelerator0 Power Control" (Cray-HPE/hms-power-control, tests).
* An enclosure controller with four nodes: Chassis of type Enclosure and Sled after DSP2046; invented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.host.machine import SiteKnowledge
from greenai.testing.machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

ORIGIN = "https://10.0.0.5"
ROOT = f"{ORIGIN}/redfish/v1"


def link(path: str) -> dict[str, str]:
    """Return a link to a document, by its path below ``/redfish/v1``."""
    return {"@odata.id": f"/redfish/v1/{path}"}


def links(paths: Sequence[str]) -> list[dict[str, str]]:
    """Return links to documents."""
    return [link(path) for path in paths]


def server(
    folder: Path, documents: Mapping[str, Any], systems: Sequence[str], chassis: Sequence[str]
) -> FakeMachine:
    """Return a machine whose controller has these documents.

    Args:
        folder: An empty folder.
        documents: By path below ``/redfish/v1``.
        systems: Names of its systems.
        chassis: Names of its chassis.
    """
    know = SiteKnowledge(redfish_url=ORIGIN, redfish_user="operator", redfish_password="s3cr3t")  # noqa: S106
    machine = FakeMachine(folder, knowledge=know)
    machine.web = {f"{ROOT}/{path}": document for path, document in documents.items()}
    machine.web[f"{ROOT}/Systems"] = {"Members": links([f"Systems/{name}" for name in systems])}
    machine.web[f"{ROOT}/Chassis"] = {"Members": links([f"Chassis/{name}" for name in chassis])}
    return machine


def control(watts: float | None, name: str | None = None, number: int = 0) -> dict[str, Any]:
    """Return a member of PowerControl."""
    member: dict[str, Any] = {"MemberId": str(number), "PowerConsumedWatts": watts, "PowerCapacityWatts": 1600}
    return member | ({"Name": name} if name else {}) | {"PowerMetrics": {"AverageConsumedWatts": 365}}


def dell(folder: Path) -> FakeMachine:
    """An iDRAC9: the same power in the old document and in the new."""
    name = "System.Embedded.1"
    return server(
        folder,
        {
            f"Systems/{name}": {"HostName": "MINWINPC", "Links": {"Chassis": links([f"Chassis/{name}"])}},
            f"Chassis/{name}": {
                "ChassisType": "RackMount",
                "EnvironmentMetrics": link(f"Chassis/{name}/EnvironmentMetrics"),
                "Power": link(f"Chassis/{name}/Power"),
                "Sensors": link(f"Chassis/{name}/Sensors"),
                "Links": {"ComputerSystems": links([f"Systems/{name}"])},
            },
            f"Chassis/{name}/EnvironmentMetrics": {
                "PowerWatts": {"Reading": 612.0, "DataSourceUri": f"/redfish/v1/Chassis/{name}/Sensors/Power"},
                "EnergykWh": {"Reading": 7855.6},
            },
            f"Chassis/{name}/Power": {"PowerControl": [control(612, "System Power Control")]},
        },
        [name],
        [name, "Enclosure.Internal.0-1"],
    )


def dell_17g(folder: Path) -> FakeMachine:
    """An iDRAC10: neither of them, but the sensor of the total among others."""
    name = "System.Embedded.1"
    machine = dell(folder)
    del machine.web[f"{ROOT}/Chassis/{name}/EnvironmentMetrics"]
    del machine.web[f"{ROOT}/Chassis/{name}/Power"]
    sensors = [f"Chassis/{name}/Sensors/{s}" for s in ("PS1Current1", "SystemBoardPwrConsumption")]
    machine.web[f"{ROOT}/Chassis/{name}/Sensors"] = {"Members": links(sensors)}
    machine.web[f"{ROOT}/{sensors[0]}"] = {"Reading": 1.4, "ReadingType": "Current"}
    machine.web[f"{ROOT}/{sensors[1]}"] = {"Reading": 540, "ReadingType": "Power", "ReadingUnits": "W"}
    return machine


def hpe(folder: Path) -> FakeMachine:
    """An iLO 5."""
    return server(
        folder,
        {
            "Systems/1/": {"HostName": "", "Links": {"Chassis": links(["Chassis/1/"])}},
            "Chassis/1/": {"ChassisType": "RackMount", "Power": link("Chassis/1/Power/")},
            "Chassis/1/Power/": {"PowerControl": [control(590)]},
        },
        ["1/"],
        ["1/"],
    )


def lenovo(folder: Path) -> FakeMachine:
    """An XCC: parts of the node beside the node."""
    controls = [
        control(210, "CPU Sub-system Power", 1),
        control(397, "Server Power Control", 0),
        control(45, "Memory Sub-system Power", 2),
    ]
    return server(
        folder,
        {
            "Systems/1": {"Links": {"Chassis": links(["Chassis/1"])}},
            "Chassis/1": {"ChassisType": "RackMount", "Power": link("Chassis/1/Power")},
            "Chassis/1/Power": {"PowerControl": controls},
        },
        ["1"],
        ["1"],
    )


def hgx(folder: Path) -> FakeMachine:
    """A server around an HGX baseboard, whose GPUs have a chassis and a system of their own."""
    parts = ["HGX_Chassis_0", *(f"HGX_GPU_{n}" for n in range(8)), "BMC_0", "PDB_0"]
    documents: dict[str, Any] = {
        "Systems/System_0": {"HostName": "fake", "Links": {"Chassis": links(["Chassis/Chassis_0"])}},
        "Systems/HGX_Baseboard_0": {"HostName": "fake", "Links": {"Chassis": links(["Chassis/HGX_Chassis_0"])}},
        "Chassis/Chassis_0": {
            "ChassisType": "RackMount",
            "EnvironmentMetrics": link("Chassis/Chassis_0/EnvironmentMetrics"),
            "Links": {"ComputerSystems": links(["Systems/System_0", "Systems/HGX_Baseboard_0"])},
        },
        "Chassis/Chassis_0/EnvironmentMetrics": {
            "PowerWatts": {"Reading": 6349.26},
            "EnergykWh": {"Reading": 12.5},
        },
        "Chassis/BMC_0": {"ChassisType": "Module"},
        "Chassis/PDB_0": {"ChassisType": "Component"},
    }
    for part in parts[:9]:
        documents[f"Chassis/{part}"] = {
            "ChassisType": "Module",
            "EnvironmentMetrics": link(f"Chassis/{part}/EnvironmentMetrics"),
        }
        documents[f"Chassis/{part}/EnvironmentMetrics"] = {"PowerWatts": {"Reading": 4000.0}}
    return server(folder, documents, ["System_0", "HGX_Baseboard_0"], ["Chassis_0", *parts])


def fujitsu(folder: Path) -> FakeMachine:
    """An iRMC: no PowerControl, the maker's own words."""
    total = {
        "CurrentPowerConsumptionW": 150,
        "MinimumPowerW": 150,
        "PeakPowerW": 195,
        "Designation": "Total Power",
    }
    return server(
        folder,
        {
            "Systems/0": {"Links": {"Chassis": links(["Chassis/0"])}},
            "Chassis/0": {"ChassisType": "RackMount", "Power": link("Chassis/0/Power")},
            "Chassis/0/Power": {"Oem": {"ts_fujitsu": {"ChassisPowerConsumption": total}}},
        },
        ["0"],
        ["0"],
    )


def openbmc(folder: Path) -> FakeMachine:
    """OpenBMC: the system names no chassis of a clear type, and there is only one."""
    return server(
        folder,
        {
            "Systems/system": {"Links": {}},
            "Chassis/chassis": {"ChassisType": "RackMount", "Power": link("Chassis/chassis/Power")},
            "Chassis/chassis/Power": {"PowerControl": [control(232.0, "Chassis Power Control")]},
        },
        ["system"],
        ["chassis"],
    )


def cray(folder: Path) -> FakeMachine:
    """A Cray node's controller: accelerators beside the node."""
    controls = [control(873, "Node Power Control")]
    controls += [control(99 + n, f"Accelerator{n} Power Control", n + 1) for n in range(4)]
    return server(
        folder,
        {
            "Systems/Node0": {"Links": {"Chassis": links(["Chassis/Node0"])}},
            "Chassis/Node0": {"ChassisType": "Blade", "Power": link("Chassis/Node0/Power")},
            "Chassis/Node0/Power": {"PowerControl": controls},
        },
        ["Node0"],
        ["Enclosure", "Node0"],
    )


def enclosure(folder: Path) -> FakeMachine:
    """One controller for four nodes; ours is the third."""
    documents: dict[str, Any] = {
        "Chassis/Enclosure": {
            "ChassisType": "Enclosure",
            "Power": link("Chassis/Enclosure/Power"),
            "Links": {"ComputerSystems": links([f"Systems/{n}" for n in range(4)])},
        },
        "Chassis/Enclosure/Power": {"PowerControl": [control(2000, "Enclosure Power Control")]},
    }
    for n in range(4):
        name = "fake.example.org" if n == 2 else f"node{n}"  # noqa: PLR2004
        chassis = links(["Chassis/Enclosure", f"Chassis/Sled{n}"])
        documents[f"Systems/{n}"] = {"HostName": name, "Links": {"Chassis": chassis}}
        documents[f"Chassis/Sled{n}"] = {"ChassisType": "Sled", "Power": link(f"Chassis/Sled{n}/Power")}
        documents[f"Chassis/Sled{n}/Power"] = {"PowerControl": [control(500 + n)]}
    return server(folder, documents, [str(n) for n in range(4)], ["Enclosure", *(f"Sled{n}" for n in range(4))])


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "redfish-dell-idrac9": dell,
    "redfish-dell-idrac10": dell_17g,
    "redfish-hpe-ilo5": hpe,
    "redfish-lenovo-xcc": lenovo,
    "redfish-hgx-h100": hgx,
    "redfish-fujitsu-irmc": fujitsu,
    "redfish-openbmc": openbmc,
    "redfish-cray-ex": cray,
    "redfish-enclosure": enclosure,
}
