"""What tracking costs a training of a minute that keeps its CPU busy: alone, and as two ranks on two CPUs.

Wall time of the same work with and without, in turn. A virtual machine scatters by more than is asked, so what we
took is counted as well: time inside starting and stopping, and the sampler's CPU time, which busy ranks lose.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import mean

from benchmarks.table import show

SECONDS = 60.0
PAIRS = 2

_TRAINING = """
import hashlib, json, os, sys, time
from pathlib import Path
steps, tracked = int(sys.argv[1]), sys.argv[2] == "tracked"
if tracked:
    import greenai
    tracker = greenai.track("train")  # importing is measured elsewhere
block = b"x" * 4096
def train():
    digest = b""
    for _ in range(steps):
        for _ in range(64):
            digest = hashlib.sha256(block + digest).digest()
        sum(n * n for n in range(500))
def sampler_cpu_s(run):
    pids = {path.stem.rpartition("-")[2] for path in run.session.folder.glob("*.jsonl")} - {str(os.getpid())}
    total = 0
    for pid in pids:
        if b"greenai.sampler_process" in Path(f"/proc/{pid}/cmdline").read_bytes().split(bytes(1)):
            total += sum(int(p.read_text().split()[0]) for p in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return total / 1e9
began = time.perf_counter()
inside = cpu = 0.0
if tracked:
    run = tracker.__enter__()
    inside += time.perf_counter() - began
train()
if tracked:
    rank0 = os.environ.get("RANK", "0") == "0"
    cpu = sampler_cpu_s(run) if rank0 else 0.0
    stop = time.perf_counter()
    run.finish()
    inside += time.perf_counter() - stop
print(json.dumps([time.perf_counter() - began, inside, cpu]))
"""


def main() -> None:
    """Print the cost as a share of the training's time."""
    steps = _calibrate()
    rows = []
    for ranks in (1, 2):
        plain_s, tracked_s, inside_s, cpu_s = [], [], [], []
        for _ in range(PAIRS):
            plain_s.append(max(wall_s for wall_s, _, _ in _train(ranks, steps, tracked=False)))
            found = _train(ranks, steps, tracked=True)
            tracked_s.append(max(wall_s for wall_s, _, _ in found))
            inside_s.append(max(each_s for _, each_s, _ in found))
            cpu_s.append(sum(each_s for _, _, each_s in found))
        # One rank has a CPU to spare for the sampler; busy ranks share what it takes.
        spare = (os.cpu_count() or 1) > ranks
        counted = (mean(inside_s) + (0.0 if spare else mean(cpu_s) / ranks)) / mean(plain_s)
        ratio = mean(tracked_s) / mean(plain_s) - 1
        scatter = max(plain_s) / min(plain_s) - 1
        rows.append(
            (
                f"{ranks} busy rank{'s' * (ranks > 1)}, {mean(plain_s):.0f} s",
                "+0.1 %",
                f"{counted:+.3%}",
                f"{ratio:+.2%} (without tracking it scatters by {scatter:.2%})",
                f"{mean(inside_s) * 1000:.1f} ms, {mean(cpu_s):.3f} CPU s",
            )
        )
    headings = ("training", "asked", "counted", "wall time", "inside the program, sampler")
    show(f"Cost of tracking a training ({PAIRS} pairs)", headings, rows)


def _calibrate() -> int:
    (wall_s, _, _) = _train(1, 200, tracked=False)[0]
    return int(200 * SECONDS / wall_s)


def _train(ranks: int, steps: int, *, tracked: bool) -> list[tuple[float, float, float]]:
    group = {
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(20_000 + os.getpid() % 10_000),
    }
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", _TRAINING, str(steps), "tracked" if tracked else "plain"],
            env={**os.environ, **group, "RANK": str(rank)},
            stdout=subprocess.PIPE,
        )
        for rank in range(ranks)
    ]
    return [tuple(json.loads(program.communicate()[0])) for program in programs]
