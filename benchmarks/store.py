"""Size and speed of stored samples."""

from __future__ import annotations

import random
import time

from benchmarks.table import show
from greenai.store.chunks import chunks, decode

SAMPLES = 100_000


def main() -> None:
    """Print bytes per sample and time per million samples, for a day and more of a noisy counter at 1 Hz."""
    noise = random.Random(1)
    t_ns = energy_uj = 0
    times_ns, counts_uj = [], []
    for _ in range(SAMPLES):
        t_ns += 1_000_000_000 + noise.randrange(-3_000_000, 3_000_000)
        energy_uj += int(noise.gauss(150e6, 4e6)) // 1000 * 1000
        times_ns.append(t_ns)
        counts_uj.append(energy_uj)
    began_s = time.perf_counter()
    found = chunks(times_ns, counts_uj)
    encoded_s = time.perf_counter()
    for chunk in found:
        decode(chunk.data, chunk.count)
    decoded_s = time.perf_counter()
    size = sum(len(chunk.data) for chunk in found) / SAMPLES
    rows = [
        ("bytes per sample", "-", f"{size:.2f}"),
        ("encode, s per million", "-", f"{(encoded_s - began_s) * 1e6 / SAMPLES:.2f}"),
        ("decode, s per million", "-", f"{(decoded_s - encoded_s) * 1e6 / SAMPLES:.2f}"),
    ]
    show("Stored samples (600 a chunk)", ("what", "asked", "value"), rows)
