"""Run all benchmarks, or those named: ``python -m benchmarks [imports] [calls] [sampler] [cli] [store] [ingest]
[service] [meter] [training]``.

``python -m benchmarks accuracy [--peers] [--help]`` runs on its own: it needs root and more than a coffee break.
So do ``python -m benchmarks scale [--postgres] [RUNS]``, which fills databases of 1 GB in the temporary folder,
``python -m benchmarks faults [--only NAME] [--times N] [--write FILE]``, ``python -m benchmarks slurm``, and
``python -m benchmarks merge [NODES...]``, which writes up to 20 GB of journals into the temporary folder.
"""

from __future__ import annotations

import os
import sys
import tempfile

from benchmarks import (
    accuracy,
    calls,
    cli,
    faults,
    imports,
    ingest,
    merge,
    meter,
    sampler,
    scale,
    service,
    slurm,
    store,
    training,
)

ALL = {
    "imports": imports.main,
    "calls": calls.main,
    "cli": cli.main,
    "sampler": sampler.main,
    "store": store.main,
    "ingest": ingest.main,
    "service": service.main,
    "meter": meter.main,
    "training": training.main,
}


def main() -> None:
    """Print the tables, with every figure's load on the machine said first."""
    # Without cached bytecode one would measure the compiler.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} CPUs, Python {sys.version.split()[0]}\n")
    if sys.argv[1:2] == ["accuracy"]:
        accuracy.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["faults"]:
        faults.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["scale"]:
        scale.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["slurm"]:
        slurm.main()
        return
    if sys.argv[1:2] == ["merge"]:
        merge.main(sys.argv[2:])
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            GREENAI_SPOOL=f"{folder}/spool", GREENAI_DB=f"sqlite:///{folder}/greenai.db", GREENAI_INGEST="later"
        )
        for name in sys.argv[1:] or ALL:
            ALL[name]()


main()
