"""The energy of a job that nobody tracked: by the site's meters without counting twice, else a labelled estimate."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.batch_job import BatchJob, BatchStep, JobResources
from greenai.core.channel import Component, Quality
from greenai.core.vocabulary import RunState
from greenai.slurm.accounting.gpu_power import limit_w
from greenai.slurm.accounting.jobs import read_accounts
from greenai.slurm.accounting.metered import metered
from greenai.slurm.accounting.run import imported_run
from greenai.slurm.accounting.sensors import UNKNOWN, energy_sensor
from greenai.slurm.accounting.site_facts import SiteFacts

FIXTURES = Path(__file__).parent / "fixtures" / "sacct"
NODE = energy_sensor("AcctGatherEnergyType    = acct_gather_energy/pm_counters\n")
RAPL = energy_sensor("AcctGatherEnergyType    = acct_gather_energy/rapl\n")
FOUR_CPUS = {"n1": 4, "n2": 4}
T0_MS = 1_795_264_000_000
GIB = 1024**3


def step(
    number: int | str, start_s: float, end_s: float, energy_j: float | None, nodes: str = "n1", **more: object
) -> BatchStep:
    made = BatchStep(
        id=str(number), name="train", state="COMPLETED", start_ms=T0_MS + int(start_s * 1000),
        end_ms=T0_MS + int(end_s * 1000), elapsed_s=int(end_s - start_s), nodes=nodes, energy_j=energy_j,
        tasks=1, max_rss_bytes=GIB,
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def job(*steps: BatchStep, nodes: str = "n1", elapsed_s: int = 100, **more: object) -> BatchJob:
    made = BatchJob(
        cluster="c1", job_id="7", restart_count=0, name="train", state="COMPLETED", exit_code=0, submit_ms=T0_MS,
        start_ms=T0_MS, end_ms=T0_MS + elapsed_s * 1000, elapsed_s=elapsed_s, nodes=nodes, steps=steps, cpu_s=50.0,
        allocated=JobResources(cpus=4 if nodes == "n1" else 8, memory_bytes=4 * 10**9, nodes=1),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def test_recorded_jobs_against_the_truth() -> None:
    """Nodes b1, b2, b3 of 100, 150 and 200 W; times are whole seconds, so the truth is known to a second's energy."""
    jobs = {
        (j.job_id, j.restart_count): j
        for j in read_accounts((FIXTURES / "22.05.txt").read_text().split("\n")).jobs
    }
    watts = {"b1": 100.0, "b2": 150.0, "b3": 200.0, "b[1-2]": 250.0, "b[2-3]": 350.0}
    for key in [
        ("1", 0),
        ("2", 0),
        ("3", 0),
        ("4", 0),
        ("11", 0),
        ("14", 0),
        ("17", 0),
        ("17", 1),
        ("18", 0),
        ("19", 0),
    ]:
        found = metered(jobs[key])
        assert found is not None, key
        truth_w = watts[jobs[key].nodes]
        assert found.energy_j == pytest.approx(truth_w * found.covered_s, abs=truth_w), key
    assert metered(jobs["2", 0]).energy_j == 1417.0, "without the collector's 1757 J"  # type: ignore[union-attr]
    assert metered(jobs["25", 0]) is None


def test_of_steps_side_by_side_the_outer_one_counts() -> None:
    (recorded,) = read_accounts((FIXTURES / "24.11.txt").read_text().split("\n")).jobs
    assert metered(recorded).energy_j == 755.0, "not 513 + 755, as Slurm's own sum has it"  # type: ignore[union-attr]


def test_steps_that_overlap_in_part() -> None:
    """Two nodes of 100 W; one step on both for 60 s, one on n2 from 30 s on: n2's 30 s count once."""
    found = metered(
        job(step(0, 0, 60, 12_000.0, "n[1-2]"), step(1, 30, 90, 6_000.0, "n2"), nodes="n[1-2]")
    )  # fmt: skip
    assert found is not None
    assert found.energy_j == pytest.approx(12_000 + 3_000)
    assert (found.low_j, found.high_j, found.overlapping) == (12_000.0, 18_000.0, True)
    assert found.covered_s == pytest.approx((120 + 30) / 2)


def test_the_batch_step_is_the_job_on_one_node_only() -> None:
    batch = step("batch", 0, 100, 10_000.0)
    assert metered(job(batch, step(0, 10, 50, 4_000.0))).energy_j == 10_000.0  # type: ignore[union-attr]
    on_two = metered(job(batch, step(0, 10, 50, 8_000.0, "n[1-2]"), nodes="n[1-2]"))
    assert on_two is not None
    assert (on_two.energy_j, on_two.covered_s) == (8_000.0, 40.0)
    assert metered(job(batch, nodes="n[1-2]")) is None


def test_our_collector_counts_only_where_nothing_else_does() -> None:
    collector = step(0, 0, 100, 20_000.0, "n[1-2]", name="greenai-collect")
    users = step(1, 0, 90, 18_000.0, "n[1-2]")
    assert metered(job(collector, users, nodes="n[1-2]")).energy_j == 18_000.0  # type: ignore[union-attr]
    assert metered(job(collector, nodes="n[1-2]")).energy_j == 20_000.0  # type: ignore[union-attr]


@given(
    st.lists(
        st.tuples(st.integers(0, 500), st.integers(1, 200), st.sampled_from(["n1", "n2", "n[1-2]"])),
        min_size=1,
        max_size=12,
    )
)
def test_constant_power_is_found_however_steps_overlap(spans: list[tuple[int, int, str]]) -> None:
    watts = {"n1": 100.0, "n2": 250.0, "n[1-2]": 350.0}
    steps = [step(n, t, t + s, watts[nodes] * s, nodes) for n, (t, s, nodes) in enumerate(spans)]
    found = metered(job(*steps, nodes="n[1-2]", elapsed_s=1000))
    busy = {(second, node) for t, s, nodes in spans for second in range(t, t + s) for node in (("n1", "n2") if "[" in nodes else (nodes,))}  # fmt: skip
    truth_j = sum(watts[node] for _, node in busy)
    assert found is not None
    # Times are whole seconds: a step that lies in another to a second counts as in it.
    assert found.low_j <= found.energy_j + 1e-6
    assert found.energy_j <= found.high_j + 1e-6
    assert found.energy_j <= truth_j + 250 * 150, "mean powers of n1 and n2 mix where a step has both"
    assert found.energy_j >= truth_j - (350 + 150 * 200) * len(spans)
    if all(nodes == "n1" for _, _, nodes in spans):
        assert found.energy_j == pytest.approx(truth_j, abs=2 * 100 * len(spans))


def test_a_metered_job_of_its_own_node() -> None:
    record, channels = imported_run(job(step("batch", 0, 100, 10_000.0)), SiteFacts(NODE, FOUR_CPUS))
    (row,) = record.energy.channels
    assert (record.id, record.state, record.exit_code) == (f"slurm-c1-7-{T0_MS // 1000}", RunState.COMPLETED, 0)
    assert (row.component, row.quality, row.energy_j, row.policy) == (
        Component.NODE,
        Quality.MEASURED,
        10_000.0,
        None,
    )
    assert row.low_j is not None
    assert row.low_j < 10_000 < (row.high_j or 0)
    assert (record.energy_j, record.energy.measured_share, record.incomplete) == (10_000.0, 1.0, False)
    assert [channel.id for channel in channels] == [row.id]
    assert [incident.code for incident in record.incidents] == ["imported_from_slurm"]
    assert len(record.journal.sha256) == 64


def test_a_shared_node_is_shared_by_cpus() -> None:
    half = job(step("batch", 0, 100, 10_000.0), allocated=JobResources(cpus=2))
    record, _ = imported_run(half, SiteFacts(NODE, FOUR_CPUS))
    (row,) = record.energy.channels
    assert (row.quality, row.energy_j, row.machine_energy_j) == (Quality.ALLOCATED, 5_000.0, 10_000.0)
    assert row.policy == "cpu_allotment_share"
    assert "50%" in str(row.note)
    unknown, _ = imported_run(half, SiteFacts(NODE, {}))
    assert "not known" in str(unknown.energy.channels[0].note)


def test_rapl_leaves_the_gpus_to_an_estimate() -> None:
    with_gpus = job(step("batch", 0, 100, 10_000.0), allocated=JobResources(cpus=4, gpus={"a100": 2}))
    record, _ = imported_run(with_gpus, SiteFacts(RAPL, FOUR_CPUS))
    assert [(row.component, row.quality) for row in record.energy.channels] == [
        (Component.CPU, Quality.MEASURED), (Component.GPU, Quality.ESTIMATED),
    ]  # fmt: skip
    assert record.energy.channels[1].energy_j == pytest.approx(0.575 * 400 * 2 * 100)
    assert record.energy.quality is Quality.ESTIMATED


def test_what_no_meter_saw_is_estimated_and_says_so() -> None:
    site = SiteFacts(None, FOUR_CPUS)
    record, _ = imported_run(
        job(allocated=JobResources(cpus=4, memory_bytes=10**10, gpus={"h100": 1, "odd": 3})), site
    )
    rows = {row.id: row for row in record.energy.channels}
    assert {row.quality for row in rows.values()} == {Quality.ESTIMATED}
    assert rows["slurm:memory"].energy_j == pytest.approx(10 * 0.3725 * 100)
    assert rows["slurm:gpu:odd"].energy_j is None
    assert not rows["slurm:gpu:odd"].counted
    assert rows["slurm:gpu:h100"].low_j == pytest.approx(10_500)
    assert rows["slurm:gpu:h100"].high_j == pytest.approx(70_000)
    assert record.incomplete, "the GPUs of an unknown type are missing"
    assert record.energy.measured_share == 0.0


@pytest.mark.parametrize(
    ("cpu_s", "gathered", "tdp_w", "expected_j"),
    [
        (50.0, True, None, 0.2 * 12 * 100 + 0.8 * 3 * 50),
        (50.0, True, 400.0, 0.2 * 400 * 100 + 0.8 * 100 * 50),
        (0.0, True, None, 0.2 * 12 * 100),
        (None, False, None, 0.6 * 12 * 100),
        (9_999.0, True, None, 12 * 100),
    ],
)
def test_the_cpu_estimate_by_hand(
    cpu_s: float | None, gathered: bool, tdp_w: float | None, expected_j: float
) -> None:
    steps = (step("batch", 0, 100, None, max_rss_bytes=GIB if gathered else None),)
    record, _ = imported_run(job(*steps, cpu_s=cpu_s), SiteFacts(None, FOUR_CPUS, tdp_w))
    row = record.energy.channels[0]
    assert row.energy_j == pytest.approx(expected_j)
    assert row.low_j is not None
    assert row.high_j is not None
    if not gathered:
        assert row.low_j == pytest.approx(0.5 * 0.2 * 1200), "idle"
        assert row.high_j == pytest.approx(2 * 1200), "full load"


def test_less_than_a_second_is_unknown() -> None:
    record, channels = imported_run(job(elapsed_s=0), SiteFacts(NODE, FOUR_CPUS))
    assert (record.energy_j, channels) == (None, [])
    assert "energy_unknown" in {incident.code for incident in record.incidents}


def test_time_without_a_step_is_said() -> None:
    record, _ = imported_run(job(step(0, 10, 50, 8_000.0, "n[1-2]"), nodes="n[1-2]"), SiteFacts(NODE, FOUR_CPUS))
    assert record.incomplete
    assert record.energy.channels[0].gap_s == 60.0
    assert (record.energy.high_j or 0) > 8_000 * 100 / 40


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("acct_gather_energy/rapl", "rapl"),
        ("acct_gather_energy/pm_counters", "pm_counters"),
        ("acct_gather_energy/gpu", "gpu"),
        ("acct_gather_energy/made_up", ""),
    ],
)
def test_what_the_site_meters(line: str, name: str) -> None:
    found = energy_sensor(f"X = 1\nAcctGatherEnergyType    = {line}\n")
    assert found is not None
    assert found.name == name


def test_a_site_without_meters() -> None:
    assert energy_sensor("AcctGatherEnergyType    = acct_gather_energy/none") is None
    assert energy_sensor("AcctGatherEnergyType    = (null)") is None
    assert energy_sensor("") is UNKNOWN


@pytest.mark.parametrize(
    ("kind", "watts"),
    [("a100", 400.0), ("nvidia_a100-sxm4-80gb", 400.0), ("Tesla-V100-SXM2", 300.0), ("h100", 700.0), ("l40s", 350.0),
     ("a100_1g.5gb", None), ("1g.5gb", None), ("gh200", None), ("", None), ("rtx", None)],
)  # fmt: skip
def test_gpu_types(kind: str, watts: float | None) -> None:
    assert limit_w(kind) == watts


def test_many_steps_on_many_nodes_are_a_matter_of_seconds() -> None:
    """Each node's second counts once: here the mean of two steps on each node, and one alone on its own."""
    halves = [step(n, n % 7, 60 + n % 5, 6e6, nodes="n[1-20000]") for n in range(150)]
    more = [step(150 + n, n % 7, 60 + n % 5, 6e6, nodes="n[10001-30000]") for n in range(150)]
    began_s = time.monotonic()
    found = metered(job(*halves, *more, nodes="n[1-30000]"))
    assert time.monotonic() - began_s < 5
    assert found is not None
    assert found.low_j <= found.energy_j <= found.high_j
