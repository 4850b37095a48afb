"""How much a GPU may draw, by the name that a cluster gives its type (``gres/gpu:a100``). Pure.

Figures are the board's limit as the maker's data sheets give it (the most, where variants differ): nvidia.com,
"Tensor Core GPU" data sheets of V100 (300 W SXM2, 250 W PCIe), A100 (400 W SXM, 250 and 300 W PCIe), H100 (700 W
SXM, 350 W PCIe), H200 (700 W SXM, 600 W NVL), B200 (1000 W), P100, T4, L4, L40, L40S, A10, A16, A30, A40, RTX 6000
Ada; amd.com, Instinct MI100, MI210, MI250, MI250X, MI300A, MI300X; intel.com, Data Center GPU Max 1550. Written
down from memory of these sheets, not checked one by one.

GH200 is left out: its limit is one of the whole superchip (450 to 1000 W), with the processor in it.
"""

from __future__ import annotations

import re

_LIMIT_W = {
    "p100": 300.0, "v100": 300.0, "v100s": 250.0, "t4": 70.0,
    "a10": 150.0, "a16": 250.0, "a30": 165.0, "a40": 300.0, "a100": 400.0, "a6000": 300.0,
    "l4": 72.0, "l40": 300.0, "l40s": 350.0,
    "h100": 700.0, "h200": 700.0, "b200": 1000.0,
    "mi100": 300.0, "mi210": 300.0, "mi250": 560.0, "mi250x": 560.0, "mi300a": 760.0, "mi300x": 750.0,
    "max1550": 600.0,
}  # fmt: skip
_WORD = re.compile(r"[a-z0-9]+")
_SLICE = re.compile(r"[0-9]g\.[0-9]+gb")


def limit_w(gpu_type: str) -> float | None:
    """Return the board's power limit, watts; None if the type is unknown, or a slice of a GPU (MIG).

    Args:
        gpu_type: E.g. ``a100``, ``nvidia_a100-sxm4-80gb``.
    """
    if _SLICE.search(gpu_type.lower()):
        return None
    return next((_LIMIT_W[word] for word in _WORD.findall(gpu_type.lower()) if word in _LIMIT_W), None)
