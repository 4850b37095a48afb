"""What is assumed of hardware that nobody measures, for every estimate in one place.

CPU: P = P_idle + (P_full - P_idle) · u. Where neither sensor nor design power is known, 3 W per logical CPU at
full load, -50/+100 %: server processors of 2016-2023 have 1.9 to 4.3 W of TDP per hardware thread (EPYC 9654: 360
W / 192; Xeon E5-2680 v4: 120 W / 28); 0.2 of it when idle (``greenai.host.cpu_power`` says how straight real load
lines are).

Memory: 0.3725 W/GB is the figure of Green Algorithms (Lannelongue, Grealey, Inouye, Advanced Science 2021).
"""

from __future__ import annotations

IDLE_SHARE = 0.2
WATTS_PER_LOGICAL_CPU = 3.0
WATTS_PER_LOGICAL_CPU_RELS = (0.5, 1.0)
WATTS_PER_GB = 0.3725
