"""No joule is counted twice, and none is left out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.cover import Claim, claims, counted, part_of, without_redundant_estimates

CPU, DRAM, GPU = Component.CPU, Component.DRAM, Component.GPU
MODULE, NODE, REST = Component.MODULE, Component.NODE, Component.REST


def channel(
    name: str,
    component: Component,
    *,
    quality: Quality = Quality.MEASURED,
    host: str = "n1",
    uncertainty: float = 0.05,
    includes: frozenset[Component] = frozenset(),
    vendor: str = "",
) -> Channel:
    return Channel(
        id=name,
        collector=name.partition(":")[0],
        component=component,
        kind=Kind.COUNTER,
        quality=quality,
        device=name,
        host=host,
        method=name.partition(":")[0],
        uncertainty_rel=uncertainty,
        max_power_uw=10**9,
        includes=includes,
        gpu_vendor=vendor,
    )


def chosen_from(channels: list[Channel]) -> frozenset[tuple[str, str]]:
    return counted(dict.fromkeys(channels, 1.0))


def components(channel: Channel) -> set[Component]:
    return {component for component, _ in claims(channel)}


def ids(channels: list[Channel]) -> set[str]:
    return {name for _, name in chosen_from(channels)}


def test_eight_gpus_are_summed() -> None:
    gpus = [channel(f"nvml:{n}", GPU) for n in range(8)]
    assert ids(gpus) == {f"nvml:{n}" for n in range(8)}


def test_parts_beside_each_other_are_all_counted() -> None:
    parts = [channel("rapl:0", CPU), channel("rapl:1", CPU), channel("rapl:d0", DRAM), channel("nvml:0", GPU)]
    assert ids(parts) == {"rapl:0", "rapl:1", "rapl:d0", "nvml:0"}


def test_a_module_hides_its_parts() -> None:
    parts = [channel("rapl:0", CPU, uncertainty=0.01), channel("rapl:d", DRAM), channel("nvml:0", GPU)]
    modules = [channel(f"hwmon:{n}", MODULE, uncertainty=0.1) for n in range(4)]
    assert ids([*parts, *modules, channel("bmc:rest", REST)]) == {*(f"hwmon:{n}" for n in range(4)), "bmc:rest"}


def test_a_node_hides_everything() -> None:
    parts = [
        channel(f"c{n}:0", component, uncertainty=0.01)
        for n, component in enumerate((CPU, DRAM, GPU, MODULE, REST))
    ]
    assert ids([*parts, channel("cray:node", NODE, uncertainty=0.5)]) == {"cray:node"}


@pytest.mark.parametrize("component", list(Component))
def test_an_estimate_never_stands_beside_a_measurement_of_the_same_component(component: Component) -> None:
    measured = channel("sensor:0", component, uncertainty=0.9)
    estimate = channel("guess:0", component, quality=Quality.ESTIMATED, uncertainty=0.001)
    assert ids([estimate, measured]) == {"sensor:0"}


def test_an_estimated_whole_never_hides_a_measured_part() -> None:
    measured = [channel("rapl:0", CPU), channel("nvml:0", GPU)]
    estimates = [
        channel("guess:node", NODE, quality=Quality.ESTIMATED),
        channel("guess:dram", DRAM, quality=Quality.ESTIMATED),
    ]
    assert ids([*estimates, *measured]) == {"rapl:0", "nvml:0", "guess:dram"}


def test_measured_goes_before_allocated_before_estimated() -> None:
    trio = [
        channel("e:0", GPU, quality=Quality.ESTIMATED, uncertainty=0.001),
        channel("a:0", GPU, quality=Quality.ALLOCATED, uncertainty=0.01),
        channel("m:0", GPU, uncertainty=0.9),
    ]
    assert ids(trio) == {"m:0"}
    assert ids(trio[:2]) == {"a:0"}


def test_two_collectors_of_one_component_are_counted_once_and_the_better_wins() -> None:
    pair = [channel("perf:0", CPU, uncertainty=0.1), channel("rapl:0", CPU, uncertainty=0.05)]
    assert ids(pair) == {"rapl:0"}
    assert ids(pair[::-1]) == {"rapl:0"}


def test_equally_good_collectors_are_chosen_by_name() -> None:
    pair = [channel("rapl:0", CPU), channel("perf:0", CPU)]
    assert ids(pair) == ids(pair[::-1]) == {"perf:0"}


def test_sockets_read_by_different_doors_are_summed() -> None:
    by_powercap = channel("rapl:package-0", CPU)
    by_perf = replace(channel("rapl:package-1", CPU), collector="rapl_perf")
    assert ids([by_powercap, by_perf]) == {"rapl:package-0", "rapl:package-1"}


def test_hosts_do_not_hide_each_other() -> None:
    both = [
        channel("cray:node", NODE, host="n1"),
        channel("rapl:0", CPU, host="n2"),
        channel("rapl:0", CPU, host="n1"),
    ]
    assert chosen_from(both) == {("n1", "cray:node"), ("n2", "rapl:0")}


def test_the_whole_goes_before_its_parts_even_if_it_is_less_exact() -> None:
    # Grace as a whole (CPU with its memory) beside an exact reading of the memory alone.
    whole = channel("grace:0", CPU, uncertainty=0.1, includes=frozenset({DRAM}))
    part = channel("dimm:0", DRAM, uncertainty=0.01)
    assert ids([part, whole]) == {"grace:0"}


def test_claims() -> None:
    assert components(channel("x:0", NODE)) == set(Component)
    assert components(channel("x:0", MODULE)) == {MODULE, CPU, DRAM, GPU}
    assert components(channel("x:0", MODULE, includes=frozenset({REST}))) == {MODULE, CPU, DRAM, GPU, REST}
    assert components(channel("x:0", CPU, includes=frozenset({DRAM}))) == {CPU, DRAM}


def test_nothing_is_chosen_from_nothing() -> None:
    assert chosen_from([]) == frozenset()


@st.composite
def channels(draw: st.DrawFn) -> Channel:
    collector = draw(st.sampled_from(["a", "b", "c"]))
    component = draw(st.sampled_from(list(Component)))
    return channel(
        f"{collector}:{component}-{draw(st.integers(0, 2))}-{draw(st.sampled_from('mae'))}",
        component,
        quality=draw(st.sampled_from(list(Quality))),
        host=draw(st.sampled_from(["n1", "n2"])),
        uncertainty=draw(st.sampled_from([0.01, 0.05, 0.4])),
        includes=draw(st.frozensets(st.sampled_from([CPU, DRAM, REST]), max_size=1)),
    )


def unique(found: list[Channel]) -> list[Channel]:
    return list({(c.host, c.id): c for c in found}.values())


SETS = st.lists(channels(), max_size=12).map(unique)


@given(found=SETS, data=st.data())
def test_no_component_is_claimed_twice(found: list[Channel], data: st.DataObject) -> None:
    chosen = chosen_from(found)
    assert chosen_from(data.draw(st.permutations(found))) == chosen
    groups: dict[tuple[str, bool, str, Claim], set[Component]] = defaultdict(set)
    for c in found:
        if (c.host, c.id) in chosen:
            groups[c.host, c.quality is Quality.ESTIMATED, c.collector, claims(c)] |= components(c)
    for (one, claim_one), (two, claim_two) in combinations(groups.items(), 2):
        assert one[0] != two[0] or not claim_one & claim_two


@given(found=SETS)
def test_every_component_with_a_channel_is_covered_unless_that_would_count_twice(found: list[Channel]) -> None:
    chosen = chosen_from(found)
    covered: dict[str, set[Component]] = defaultdict(set)
    for c in found:
        if (c.host, c.id) in chosen:
            covered[c.host] |= components(c)
    groups: dict[tuple[str, bool, str, Component, Claim], list[Channel]] = defaultdict(list)
    for c in found:
        groups[c.host, c.quality is Quality.ESTIMATED, c.collector, c.component, claims(c)].append(c)
    for key, members in groups.items():
        inside = [(c.host, c.id) in chosen for c in members]
        assert all(inside) or not any(inside)
        if not any(inside):
            assert set().union(*map(components, members)) & covered[key[0]]


@given(found=SETS, extra=channels())
def test_adding_an_estimate_never_changes_what_is_measured(found: list[Channel], extra: Channel) -> None:
    estimate = channel("new:0", extra.component, quality=Quality.ESTIMATED, host=extra.host, uncertainty=0.0001)
    before, after = chosen_from(found), chosen_from([*found, estimate])
    firm = {(c.host, c.id) for c in found if c.quality is not Quality.ESTIMATED}
    assert before & firm == after & firm
    taken = set[Component]().union(
        *(components(c) for c in found if c.host == extra.host and (c.host, c.id) in before & firm)
    )
    if components(estimate) & taken:
        assert after == before


def test_redundant_estimates_are_dropped_per_host() -> None:
    found = [
        channel("rapl:0", CPU, host="n1"),
        channel("cpu_estimate:0", CPU, host="n1", quality=Quality.ESTIMATED),
        channel("cpu_estimate:0", CPU, host="n2", quality=Quality.ESTIMATED),
        channel("memory:0", DRAM, host="n1", quality=Quality.ESTIMATED),
    ]
    assert [(c.host, c.id) for c in without_redundant_estimates(found)] == [
        ("n1", "rapl:0"), ("n2", "cpu_estimate:0"), ("n1", "memory:0"),
    ]  # fmt: skip


def test_a_module_makes_estimates_of_its_parts_redundant() -> None:
    found = [
        channel("hwmon:0", MODULE),
        channel("cpu_estimate:0", CPU, quality=Quality.ESTIMATED),
        channel("memory:0", DRAM, quality=Quality.ESTIMATED),
    ]
    assert [c.id for c in without_redundant_estimates(iter(found))] == ["hwmon:0"]


def test_gpus_of_two_makers_are_both_counted() -> None:
    mixed = [channel("nvml:0", GPU, vendor="nvidia"), channel("amd_gpu:0", GPU, vendor="amd")]
    assert ids(mixed) == {"nvml:0", "amd_gpu:0"}
    everyone = channel("cray:accel0", GPU, uncertainty=0.03)
    assert ids([*mixed, everyone]) == {"cray:accel0"}


def test_the_gpus_of_another_maker_are_counted_beside_a_superchip() -> None:
    found = [
        channel("grace:module", MODULE, vendor="nvidia"),
        channel("nvml:0", GPU, vendor="nvidia"),
        channel("intel_gpu:0", GPU, vendor="intel"),
    ]
    assert ids(found) == {"grace:module", "intel_gpu:0"}


def test_a_slice_of_one_board_and_the_whole_of_another_are_summed() -> None:
    pair = [channel("nvml:0", GPU), channel("nvml:1/3g", GPU, quality=Quality.ALLOCATED)]
    assert ids(pair) == {"nvml:0", "nvml:1/3g"}


def test_a_grace_cpu_rail_is_not_added_to_its_socket() -> None:
    found = [
        *(channel(f"grace:grace-{n}", CPU, includes=frozenset({DRAM, REST})) for n in range(4)),
        *(channel(f"grace:cpu-{n}", CPU) for n in range(4)),
    ]
    assert ids(found) == {f"grace:grace-{n}" for n in range(4)}


@pytest.mark.parametrize(
    ("known", "node_j", "expected"),
    [
        (0.95, 110, {"battery:0"}),
        (1.0, 100, {"rapl:0", "nvml:0"}),  # less than its own parts: out of order
        (0.5, 100, {"rapl:0", "nvml:0"}),  # the parts add up to 130 J
        (0.5, 150, {"battery:0"}),  # more than its parts, in half of the time
    ],
)
def test_what_was_blind_gives_way_to_parts_that_add_up_to_more(
    known: float, node_j: float, expected: set[str]
) -> None:
    node, cpu, gpu = channel("battery:0", NODE), channel("rapl:0", CPU), channel("nvml:0", GPU)
    energies = {node: node_j, cpu: 80.0, gpu: 50.0}
    assert {name for _, name in counted({node: known, cpu: 1.0, gpu: 1.0}, energies)} == expected


def test_a_blind_measurement_never_gives_way_to_an_estimate() -> None:
    node, guess = channel("ipmi:0", NODE), channel("cpu_estimate:0", CPU, quality=Quality.ESTIMATED)
    assert counted({node: 0.1, guess: 1.0}, {node: 1.0, guess: 100.0}) == {("n1", "ipmi:0")}


def test_three_of_four_modules_are_no_whole_node() -> None:
    modules = {channel(f"grace:module-{n}", MODULE, vendor="nvidia"): float(n > 0) for n in range(4)}
    graces = {channel(f"grace:grace-{n}", CPU, includes=frozenset({DRAM})): 1.0 for n in range(4)}
    gpus = {channel(f"nvml:{n}", GPU, vendor="nvidia"): 1.0 for n in range(4)}
    parts = {f"grace:grace-{n}" for n in range(4)} | {f"nvml:{n}" for n in range(4)}
    assert {name for _, name in counted({**modules, **graces, **gpus})} == parts
    assert {name for _, name in counted(modules)} == {"grace:module-1", "grace:module-2", "grace:module-3"}


def test_what_never_said_anything_displaces_nothing() -> None:
    assert counted({channel("ipmi:0", NODE): 0.0, channel("rapl:0", CPU): 1.0}) == {("n1", "rapl:0")}
    assert counted({channel("ipmi:0", NODE): 0.0}) == frozenset()


def test_a_breakdown_names_what_contains_it() -> None:
    node, cpu, gpu = channel("ipmi:0", NODE), channel("rapl:0", CPU), channel("nvml:0", GPU, vendor="nvidia")
    module = channel("grace:0", MODULE, vendor="nvidia")
    assert part_of(cpu, [node]) == part_of(gpu, [node]) == "ipmi:0"
    assert part_of(gpu, [module]) == "grace:0"
    assert part_of(node, [module]) is None
    assert part_of(channel("amd_gpu:0", GPU, vendor="amd"), [module]) is None
    assert part_of(channel("rapl:0", CPU, host="n2"), [node]) is None


def test_estimates_of_the_parts_stay_where_only_the_node_is_measured() -> None:
    found = [channel("ipmi:0", NODE), channel("cpu_estimate:0", CPU, quality=Quality.ESTIMATED)]
    assert without_redundant_estimates(found) == found
    assert ids(found) == {"ipmi:0"}
