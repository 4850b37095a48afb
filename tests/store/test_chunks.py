"""Samples as chunks: nothing is lost, little is needed, damage is noticed."""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.store.chunks import CHUNK_SAMPLES, Sample, chunks, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

WALL_NS = 1_795_262_400_000_000_000
VALUES = st.one_of(st.none(), st.integers(0, 2**62 - 1), st.integers(-(2**62) + 1, 0))
TIMES = st.integers(0, 2**62 // 1000).map(lambda t_us: t_us * 1000)  # kept to the microsecond
SAMPLES = st.lists(st.tuples(TIMES, VALUES), max_size=50)


def encoded(samples: Sequence[Sample]) -> bytes:
    return encode([t_ns for t_ns, _ in samples], [value for _, value in samples])


@given(SAMPLES)
def test_any_samples_come_back(samples: list[tuple[int, int | None]]) -> None:
    assert decode(encoded(samples), len(samples)) == samples


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 599, 600, 601, 1200, 1201])
def test_every_length(count: int) -> None:
    samples = [(WALL_NS + i * 10**9, None if i % 5 == 4 else i * i) for i in range(count)]
    found = chunks([t_ns for t_ns, _ in samples], [value for _, value in samples])
    assert [chunk.count for chunk in found] == [CHUNK_SAMPLES] * (count // 600) + [count % 600] * (count % 600 > 0)
    assert [s for chunk in found for s in decode(chunk.data, chunk.count)] == samples


@pytest.mark.parametrize("sentinel", [2**63, 2**64 - 1, -(2**63), 2**63 - 1, -(2**63) + 1, 10**30])
def test_a_sentinel_of_a_sensor_becomes_a_gap_or_stays_and_never_stops_the_run(sentinel: int) -> None:
    samples = [(WALL_NS, 5), (WALL_NS + 1000, sentinel), (WALL_NS + 2000, -sentinel), (WALL_NS + 3000, 7)]
    back = decode(encoded(samples), 4)
    assert [t for t, _ in back] == [t for t, _ in samples]
    assert (back[0][1], back[3][1]) == (5, 7)
    assert back[1][1] in (None, sentinel)
    assert back[2][1] in (None, -sentinel)


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=20))
def test_times_are_kept_to_the_microsecond(times: list[int]) -> None:
    back = decode(encoded([(t_ns, 1) for t_ns in times]), len(times))
    assert all(0 <= t_ns - kept < 1000 for t_ns, (kept, _) in zip(times, back, strict=True))


def test_a_time_that_is_none_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="time"):
        encoded([(10**40, 1)])


def test_only_gaps() -> None:
    samples: list[tuple[int, int | None]] = [(WALL_NS + i * 1000, None) for i in range(9)]
    assert decode(encoded(samples), 9) == samples


@pytest.mark.parametrize("kind", ["counter", "power", "idle counter"])
def test_a_realistic_trace_needs_less_than_six_bytes_per_sample(kind: str) -> None:
    noise = random.Random(7)
    value, samples = 81_234_567_890, []
    for i in range(CHUNK_SAMPLES):
        t_ns = WALL_NS + i * 10**9 + round(noise.gauss(0, 60)) * 1000
        power_w = (12 if kind == "idle counter" else 95 + 30 * (i // 40 % 2)) + noise.gauss(0, 2)
        value += round(power_w * 1e6 / 61) * 61
        samples.append((t_ns, round(power_w * 1000) * 1000 if kind == "power" else value))
    assert len(encoded(samples)) / len(samples) < 6
    assert decode(encoded(samples), len(samples)) == samples


GOOD = encoded([(WALL_NS + i * 10**9, i * 1000) for i in range(10)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x03" + GOOD[1:],
        b"\x01" + GOOD[1:],
        GOOD[:1],
        GOOD[:-1],
        GOOD[: len(GOOD) // 2],
        GOOD[:5] + b"\xff" + GOOD[6:],
        b"\x02not zlib at all",
        *(codec + zlib.compress(b"") for codec in (b"\x01", b"\x02")),
        *(codec + zlib.compress(b"\0" * 100) for codec in (b"\x01", b"\x02")),
        b"\x02" + zlib.compress(b"hx" + zlib.decompress(GOOD[1:])[2:]),
        b"\x02" + zlib.compress(zlib.decompress(GOOD[1:])[:-1]),
        b"\x02" + zlib.compress(zlib.decompress(GOOD[1:]) + b"\0"),
    ],
)
def test_damage_is_noticed(data: bytes) -> None:
    with pytest.raises(ValueError, match="chunk"):
        decode(data, 10)


@pytest.mark.parametrize("count", [0, 1, 9, 11, 600])
def test_a_wrong_count_is_noticed(count: int) -> None:
    with pytest.raises(ValueError, match="chunk"):
        decode(GOOD, count)


# Written by the version before codec 2, of ``OF_CODEC_1``.
CODEC_1 = bytes.fromhex(
    "01789c536460d8cfbe9f1d8a0a3ced3ceda068213f02483220c009247602129b8d0107587db3ef2643fa4d20799381e1eecbbb0cc7ef02c9bb0c"
    "b79e3c79c270f2090830bc02296484a817c265107600008f9921ed"
)
OF_CODEC_1 = [
    (
        WALL_NS + i * 10**9 + (i * 7919 % 3000) * 1000,
        None if i in (0, 5) else 81_234_567_890 + i * 15_000_000 - (i % 3) * 999,
    )
    for i in range(12)
]


def test_chunks_of_earlier_versions_are_read() -> None:
    assert decode(CODEC_1, 12) == OF_CODEC_1


@pytest.mark.parametrize("unit", [1, 61, 1000, 2**32 - 1, 2**32, 2**40])
@pytest.mark.parametrize("step", [1, 200, 40_000, -40_000, 2**20])
def test_steps_of_any_unit_come_back(unit: int, step: int) -> None:
    samples: list[Sample] = [(WALL_NS + i * 10**9, (2**50 + i * step * unit) % 2**61) for i in range(100)]
    assert decode(encoded(samples), 100) == samples


def test_a_meter_that_counts_in_steps_needs_less() -> None:
    """Every value twice, once in millijoules: the steps of 1,000 µJ cost nothing."""
    noise = random.Random(3)
    powers_mw = [round(noise.gauss(150_000, 4_000)) for _ in range(CHUNK_SAMPLES)]
    times = [WALL_NS + i * 10**9 for i in range(CHUNK_SAMPLES)]
    coarse, fine = (len(encode(times, [mw * unit for mw in powers_mw])) for unit in (1000, 1))
    assert coarse <= fine + 8


@pytest.mark.parametrize("where", [0, 3])
def test_a_gap_does_not_widen_the_differences(where: int) -> None:
    with_gap: list[Sample] = [(WALL_NS + i * 10**9, 10**15 + i * 7) for i in range(CHUNK_SAMPLES)]
    whole = len(encoded(with_gap))
    with_gap[where] = (with_gap[where][0], None)
    assert len(encoded(with_gap)) < whole + 30
