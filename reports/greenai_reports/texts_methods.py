"""What the methods of measuring are called in a report, by their keys."""

from __future__ import annotations

from greenai.core.text import Text

METHODS = {
    "rapl_powercap": Text(de="Energiezähler der CPU (RAPL)", en="Energy counter of the CPU (RAPL)"),
    "nvml_energy_counter": Text(de="Energiezähler der GPU (NVML)", en="Energy counter of the GPU (NVML)"),
    "nvml_power_instant": Text(de="Leistung der GPU, abgetastet (NVML)", en="Power of the GPU, sampled (NVML)"),
    "nvml_power_average": Text(
        de="Leistung der GPU, Sekundenmittel (NVML)", en="Power of the GPU, mean of a second (NVML)"
    ),
    "rapl_perf": Text(de="Energiezähler der CPU (RAPL, perf)", en="Energy counter of the CPU (RAPL, perf)"),
    "hwmon_amd_energy": Text(de="Energiezähler der CPU (amd_energy)", en="Energy counter of the CPU (amd_energy)"),
    "hwmon_amd_hsmp_hwmon": Text(de="Leistung der CPU (AMD HSMP)", en="Power of the CPU (AMD HSMP)"),
    "hwmon_apm_xgene": Text(de="Leistung der CPU (X-Gene)", en="Power of the CPU (X-Gene)"),
    "hwmon_corsair-psu": Text(de="Netzteil (Corsair)", en="Power supply (Corsair)"),
    "hwmon_fam15h_power": Text(de="Leistung der CPU (AMD fam15h)", en="Power of the CPU (AMD fam15h)"),
    "hwmon_ibmpowernv": Text(de="Sensoren des Servers (IBM POWER)", en="Sensors of the server (IBM POWER)"),
    "hwmon_macsmc_hwmon": Text(de="Sensoren des Mac (SMC)", en="Sensors of the Mac (SMC)"),
    "hwmon_power_meter": Text(de="Leistungsmesser des Servers (ACPI)", en="Power meter of the server (ACPI)"),
    "cray_pm_counters": Text(de="Energiezähler des Knotens (Cray)", en="Energy counter of the node (Cray)"),
    "ipmi_dcmi": Text(de="Leistung des Knotens (IPMI/DCMI)", en="Power of the node (IPMI/DCMI)"),
    "redfish": Text(de="Leistung des Knotens (Redfish)", en="Power of the node (Redfish)"),
    "grace_hwmon": Text(de="Leistungsmesser des Superchips (hwmon)", en="Power meters of the superchip (hwmon)"),
    "jetson_ina3221": Text(de="Leistungsmesser der Platine (INA3221)", en="Power meters of the board (INA3221)"),
    "battery_discharge": Text(de="Entladeleistung der Batterie", en="Discharge power of the battery"),
    "amdsmi_energy_counter": Text(de="Energiezähler der GPU (amdsmi)", en="Energy counter of the GPU (amdsmi)"),
    "amdsmi_power_polled": Text(de="Leistung der GPU (amdsmi)", en="Power of the GPU (amdsmi)"),
    "amdgpu_hwmon_power": Text(de="Leistung laut Treiber amdgpu", en="Power by the driver amdgpu"),
    "intel_gpu_hwmon": Text(de="Energiezähler der Intel-GPU", en="Energy counter of the Intel GPU"),
    "apple_powermetrics": Text(de="Schätzung des Chips (macOS)", en="The chip's own estimate (macOS)"),
    "cpu_estimate_family": Text(
        de="Modell: Leistung der Prozessorfamilie × Auslastung",
        en="Model: power of the processor family × utilisation",
    ),
    "rest_of_node_factor": Text(
        de="Modell: Anteil für Netzteil, Lüfter, Platine und Platten",
        en="Model: factor for power supply, fans, board and disks",
    ),
    "cpu_estimate_user_tdp": Text(
        de="Modell: eingestellte Leistung × Auslastung", en="Model: configured power × utilisation"
    ),
    "cpu_estimate_tdp": Text(de="Modell: TDP-Tabelle × Auslastung", en="Model: TDP table × utilisation"),
    "cpu_estimate_per_logical_cpu": Text(
        de="Modell: 3 W je logischer CPU × Auslastung", en="Model: 3 W per logical CPU × utilisation"
    ),
    "memory_estimate_in_use": Text(de="Modell: belegter Speicher", en="Model: memory in use"),
    "slurm_energy": Text(de="Energiezähler laut Slurm", en="Energy meter by Slurm"),
    "slurm_gpu": Text(de="Energiezähler der GPU laut Slurm", en="Energy meter of the GPU by Slurm"),
    "slurm_ibmaem": Text(de="Energiezähler des Knotens laut Slurm (AEM)", en="Meter of the node by Slurm (AEM)"),
    "slurm_ipmi": Text(de="Leistung des Knotens laut Slurm (IPMI)", en="Power of the node by Slurm (IPMI)"),
    "slurm_pm_counters": Text(
        de="Energiezähler des Knotens laut Slurm (Cray)", en="Meter of the node by Slurm (Cray)"
    ),
    "slurm_rapl": Text(de="Energiezähler der CPU laut Slurm (RAPL)", en="Energy meter of the CPU by Slurm (RAPL)"),
    "slurm_xcc": Text(de="Leistung des Knotens laut Slurm (XCC)", en="Power of the node by Slurm (XCC)"),
    "slurm_estimate_cpu": Text(
        de="Modell: zugeteilte CPUs und ihre Rechenzeit laut Slurm",
        en="Model: allotted CPUs and their time by Slurm",
    ),
    "slurm_estimate_dram": Text(
        de="Modell: zugeteilter Speicher laut Slurm", en="Model: allotted memory by Slurm"
    ),
    "slurm_estimate_gpu": Text(de="Modell: zugeteilte GPUs laut Slurm", en="Model: allotted GPUs by Slurm"),
}
