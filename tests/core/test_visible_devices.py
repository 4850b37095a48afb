"""CUDA_VISIBLE_DEVICES and its relatives, resolved against lists of devices."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.device_doubts import device_doubt
from greenai.core.visible_devices import Doubt, GpuDevice, MigDevice, Selection, visible_devices

# The identifiers of PyTorch's own test of this variable; which driver 525 agrees with.
UUIDS = (
    "GPU-9942190a-aa31-4ff1-4aa9-c388d80f85f1",
    "GPU-9e8d35e3-a134-0fdd-0e01-23811fdbd293",
    "GPU-e429a63e-c61c-4795-b757-5132caeb8e70",
    "GPU-eee1dfbc-0a0f-6ad8-5ff6-dc942a8b9d98",
    "GPU-bbcd6503-5150-4e92-c266-97cc4390d04e",
    "GPU-472ea263-58d7-410d-cc82-f7fdece5bd28",
    "GPU-e56257c4-947f-6a5b-7ec9-0f45567ccf4e",
    "GPU-1c20e77d-1c1a-d9ed-fe37-18b8466a78ad",
)
EIGHT = [GpuDevice(n, uuid, "A100", pci=(0, 8 * n + 7, 0), minor=n) for n, uuid in enumerate(UUIDS)]
MIGS = (
    MigDevice("MIG-d184f67c-c95f-5ef2-a935-195bd0094fbd", 1, 0, 3),
    MigDevice("MIG-d1ffffff-1df4-5451-979d-3231ccb0822e", 5, 0, 2),
    MigDevice("MIG-37b51284-1df4-5451-979d-3231ccb0822e", 13, 0, 1),
)
CUT = GpuDevice(0, "GPU-3eb79704-1571-707c-aee8-f43ce747313d", "A100", (0, 1, 0), 0, None, True, MIGS, 7)
PLAIN = GpuDevice(1, "GPU-77777777-0000-0000-0000-000000000000", "A100", (0, 2, 0), 1)


def chosen(devices: list[GpuDevice], **environ: str) -> Selection:
    return visible_devices(environ, devices)


def numbers(selection: Selection) -> list[int]:
    return [visible.device.index for visible in selection.visible]


@pytest.mark.parametrize(
    ("named", "indices", "doubt"),
    [
        (None, [0, 1, 2, 3, 4, 5, 6, 7], None),
        ("", [], None),
        (" ", [], None),
        ("-1", [], None),
        ("NoDevFiles", [], None),
        ("0", [0], None),
        ("2,1", [2, 1], None),
        (" 2 , 0 ", [2, 0], None),
        ("0,-1,1", [0], None),
        ("0,2,-1,1", [0, 2], None),
        ("-1,0", [], None),
        ("0,", [0], None),
        (",0", [], None),
        # As PyTorch's test has it.
        ("1gpu2,2ampere", [1, 2], None),
        ("2, +3, -0, 5", [2, 3, 0, 5], None),
        ("0, 1, 2, -1, 3", [0, 1, 2], None),
        ("0, 1, 2, 1", [], Doubt.REPEATED),
        ("one,two,3,4", [], Doubt.NOT_FOUND),
        ("4,3,two,one", [4, 3], Doubt.MIXED),
        ("GPU-9e8d35e3", [1], None),
        ("GPU-123, 2", [], Doubt.NOT_FOUND),
        ("GPU-e4,GPU-9e8d35e3", [2, 1], None),
        ("GPU-9e8d35e3,GPU-1,GPU-47", [1, 7, 5], None),
        ("GPU-123,GPU-9e8d35e3", [], Doubt.NOT_FOUND),
        ("GPU-9e8d35e3,GPU-123,GPU-47", [1], Doubt.NOT_FOUND),
        ("GPU-9e8d35e3,GPU-e,GPU-47", [1], Doubt.AMBIGUOUS),
        ("GPU-9e8d35e3,GPU-47,GPU-9e8d35e3", [], Doubt.REPEATED),
        ("GPU-9e8d35e3,GPU-9e8d", [], Doubt.REPEATED),
        # As nvitop's documentation has it.
        ("0,4", [0, 4], None),
        ("0,0", [], Doubt.REPEATED),
        ("16", [], Doubt.NOT_FOUND),
        # Ours.
        ("0,GPU-9e8d35e3", [0], Doubt.MIXED),
        ("GPU-9e8d35e3,0", [1], Doubt.MIXED),
        ("GPU-", [], Doubt.AMBIGUOUS),
        ("gpu-9e8d35e3", [], Doubt.NOT_FOUND),
        ("0,99,0", [0], Doubt.NOT_FOUND),
        ("²", [], Doubt.NOT_FOUND),
        ("9" * 5000, [], Doubt.NOT_FOUND),
        ("MIG-d184f67c", [], Doubt.NOT_FOUND),
        ("MIG-GPU-9e8d35e3/1/2", [], Doubt.NOT_FOUND),
    ],
)
def test_every_form_of_the_variable(named: str | None, indices: list[int], doubt: Doubt | None) -> None:
    selection = chosen(EIGHT) if named is None else chosen(EIGHT, CUDA_VISIBLE_DEVICES=named)
    assert (numbers(selection), selection.doubt) == (indices, doubt)


@pytest.mark.parametrize("doubt", list(Doubt))
def test_every_doubt_has_words_and_a_command(doubt: Doubt) -> None:
    incident = device_doubt(Selection(chosen(EIGHT).visible[:2], doubt, "X1"))
    assert incident is not None
    for text in (incident.message, incident.remedy):
        assert text is not None
        assert text.de
        assert text.en
    named = "0 A100, 1 A100" if doubt is Doubt.ORDER else "X1"
    assert named in incident.message.de
    assert named in incident.message.en


def test_no_doubt_has_no_words() -> None:
    assert device_doubt(chosen(EIGHT)) is None


@pytest.mark.parametrize(
    ("named", "parts"),
    [
        ("MIG-d184f67c-c95f-5ef2-a935-195bd0094fbd", [1]),
        ("MIG-3", [13]),
        ("MIG-GPU-3eb79704-1571-707c-aee8-f43ce747313d/13/0", [13]),
        ("MIG-GPU-3eb79704/5/0", [5]),
        ("MIG-37b5,MIG-d184", [1, 13]),
        ("MIG-d184,MIG-37b5", [1, 13]),
        ("MIG-d184,MIG-GPU-3eb7/5/0", [1, 5]),
    ],
)
def test_mig_devices_of_one_board_are_one_visible_in_a_fixed_order(named: str, parts: list[int]) -> None:
    (visible,) = chosen([CUT, PLAIN], CUDA_VISIBLE_DEVICES=named).visible
    assert visible.device is CUT
    assert [part.gpu_instance for part in visible.mig_devices] == parts
    assert visible.share == pytest.approx(sum({1: 3, 5: 2, 13: 1}[part] for part in parts) / 7)


@pytest.mark.parametrize(
    ("named", "doubt"),
    [
        ("MIG-d1", Doubt.AMBIGUOUS),
        ("MIG-d184,MIG-GPU-3eb7/1/0", Doubt.REPEATED),
        ("MIG-GPU-3eb79704/9/0", Doubt.NOT_FOUND),
        ("MIG-GPU-3eb79704/1/7", Doubt.NOT_FOUND),
        ("MIG-GPU-3eb79704", Doubt.NOT_FOUND),
        ("MIG-GPU-3eb79704/1/" + "9" * 5000, Doubt.NOT_FOUND),
    ],
)
def test_mig_names_that_name_nothing(named: str, doubt: Doubt) -> None:
    selection = chosen([CUT, PLAIN], CUDA_VISIBLE_DEVICES=named)
    assert (selection.visible, selection.doubt) == ((), doubt)


def test_mig_devices_that_make_up_the_whole_board_are_the_board() -> None:
    seven = MigDevice("MIG-7", 0, 0, 7)
    (visible,) = chosen([replace(CUT, mig_devices=(seven,))], CUDA_VISIBLE_DEVICES="MIG-7").visible
    assert (visible.mig_devices, visible.share) == ((), 1.0)


@pytest.mark.parametrize("environ", [{}, {"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "GPU-3eb"}])
@pytest.mark.parametrize(
    ("ordered", "parts"),
    [
        (None, 0),
        ("all", 0),
        ("0", 0),
        ("GPU-3eb79704-1571-707c-aee8-f43ce747313d", 0),
        ("0:1", 3),
        ("0:0,0:2", 3),
        ("MIG-d184f67c-c95f-5ef2-a935-195bd0094fbd", 3),
        ("void", 3),
        ("none", 3),
        ("", 3),
    ],
)
def test_the_container_runtimes_variable_tells_a_tenant_from_an_owner(
    environ: dict[str, str], ordered: str | None, parts: int
) -> None:
    named = environ if ordered is None else {**environ, "NVIDIA_VISIBLE_DEVICES": ordered}
    (visible,) = visible_devices(named, [CUT]).visible
    assert len(visible.mig_devices) == parts


def test_the_container_runtimes_variable_never_hides_a_device() -> None:
    """Its numbers are the host's; the two devices it let in are 0 and 1 inside."""
    for ordered in ("2,3", "void", "none", "GPU-somebody", "all", ""):
        assert numbers(chosen(EIGHT[:2], NVIDIA_VISIBLE_DEVICES=ordered)) == [0, 1]


def test_a_tenant_without_any_mig_device_has_nothing() -> None:
    assert chosen([replace(CUT, mig_devices=())], NVIDIA_VISIBLE_DEVICES="void").visible == ()


FAST = GpuDevice(1, "GPU-fast", "NVIDIA A100", (0, 0x41, 0), 1, speed=6912 * 1410.0)
SLOW = GpuDevice(0, "GPU-slow", "NVIDIA GeForce GTX 1080", (0, 0x01, 0), 0, speed=2560 * 1911.0)


def test_the_fastest_is_first_by_default_and_that_is_a_guess() -> None:
    selection = chosen([SLOW, FAST], CUDA_VISIBLE_DEVICES="0")
    assert (numbers(selection), selection.doubt) == ([1], Doubt.ORDER)


@pytest.mark.parametrize(
    ("environ", "indices"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, [0]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-slow"}, [0]),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, [1, 0]),
        ({}, [0, 1]),
    ],
)
def test_no_guess_where_the_order_is_given_or_does_not_matter(environ: dict[str, str], indices: list[int]) -> None:
    selection = visible_devices(environ, [SLOW, FAST])
    assert (numbers(selection), selection.doubt) == (indices, None)


def test_without_speeds_the_bus_decides_and_it_is_said() -> None:
    selection = chosen([replace(FAST, speed=None), SLOW], CUDA_VISIBLE_DEVICES="0")
    assert (numbers(selection), selection.doubt) == ([0], Doubt.ORDER)


def test_an_unknown_order_is_one_too() -> None:
    named = {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"}
    assert numbers(visible_devices(named, [SLOW, FAST])) == [1]


def test_equal_devices_are_numbered_along_the_bus() -> None:
    assert numbers(chosen(EIGHT[::-1], CUDA_VISIBLE_DEVICES="0,1")) == [0, 1]


def test_a_device_without_an_address_keeps_the_order_of_nvml() -> None:
    devices = [EIGHT[3], replace(EIGHT[1], pci=None)]
    assert numbers(chosen(devices, CUDA_VISIBLE_DEVICES="1")) == [1]


def test_two_lost_devices_are_not_one_device_twice() -> None:
    devices = [GpuDevice(0, ""), GpuDevice(1, ""), EIGHT[2]]
    selection = chosen(devices, CUDA_VISIBLE_DEVICES="0,1,2")
    assert (numbers(selection), selection.doubt) == ([0, 1, 2], None)


@pytest.mark.parametrize(
    ("environ", "indices"),
    [
        # Without a constraint all eight can be opened, and Slurm's numbers are absolute.
        ({"SLURM_JOB_GPUS": "2,5"}, [2, 5]),
        ({"SLURM_JOB_GPUS": "2-4,7"}, [2, 3, 4, 7]),
        ({"SLURM_JOB_GPUS": "0,1", "SLURM_STEP_GPUS": "1"}, [1]),
        ({"SLURM_JOB_GPUS": "0,1", "SLURM_STEP_GPUS": ""}, [0, 1]),
        ({"SLURM_JOB_GPUS": "2,5", "CUDA_VISIBLE_DEVICES": "5"}, [5]),
        ({"SLURM_JOB_GPUS": "2,5", "CUDA_VISIBLE_DEVICES": ""}, []),
        ({"SLURM_JOB_GPUS": "a100:2"}, list(range(8))),
        ({"SLURM_JOB_GPUS": "0-999999999"}, list(range(8))),
        ({"SLURM_JOB_GPUS": "5-2"}, list(range(8))),
        ({"SLURM_JOB_GPUS": "100,101"}, list(range(8))),
        # Those of other makers say nothing.
        ({"GPU_DEVICE_ORDINAL": "0", "ROCR_VISIBLE_DEVICES": "0"}, list(range(8))),
    ],
)
def test_slurm_without_a_device_cgroup(environ: dict[str, str], indices: list[int]) -> None:
    assert numbers(visible_devices(environ, EIGHT)) == indices


def test_slurm_with_a_device_cgroup() -> None:
    """Slurm numbers CUDA_VISIBLE_DEVICES from 0 within the cgroup, and SLURM_JOB_GPUS over the node."""
    within = [EIGHT[2], EIGHT[5]]
    assert numbers(chosen(within, SLURM_JOB_GPUS="2,5", CUDA_VISIBLE_DEVICES="0,1")) == [2, 5]
    assert numbers(chosen(within, SLURM_JOB_GPUS="2,5", CUDA_VISIBLE_DEVICES="1")) == [5]
    assert numbers(chosen(within, SLURM_JOB_GPUS="2,5")) == [2, 5]


def test_slurm_counts_device_files_and_not_along_the_bus() -> None:
    """ceems-dev/ceems discussion 513: the kernel's minor numbers need not follow the bus."""
    devices = [replace(EIGHT[0], minor=1), replace(EIGHT[1], minor=0), EIGHT[2]]
    assert numbers(chosen(devices, SLURM_JOB_GPUS="0")) == [1]
    unknown = [replace(device, minor=None) for device in devices]
    assert numbers(chosen(unknown, SLURM_JOB_GPUS="0")) == [0]


@pytest.mark.parametrize(
    ("environ", "indices", "doubt"),
    [
        # Four tasks on this node, each with its own device: the job's devices.
        ({"SLURM_STEP_GPUS": "0,1,2,3", "SLURM_STEP_TASKS_PER_NODE": "4"}, [0, 1, 2, 3], None),
        (
            {"SLURM_JOB_GPUS": "0-3", "SLURM_STEP_TASKS_PER_NODE": "1,4(x2)", "SLURM_NODEID": "2"},
            [0, 1, 2, 3],
            None,
        ),
        # One task: it has what it has.
        ({"SLURM_STEP_GPUS": "0,1,2,3", "SLURM_STEP_TASKS_PER_NODE": "1"}, [1], None),
        ({"SLURM_STEP_GPUS": "0,1", "SLURM_STEP_TASKS_PER_NODE": "1,4(x2)", "SLURM_NODEID": "0"}, [1], None),
        ({"SLURM_STEP_GPUS": "0,1", "SLURM_STEP_TASKS_PER_NODE": "2(x2)", "SLURM_NODEID": "7"}, [1], None),
        ({"SLURM_STEP_GPUS": "0,1", "SLURM_STEP_TASKS_PER_NODE": "junk", "SLURM_NODEID": "x"}, [1], None),
        ({"LOCAL_WORLD_SIZE": "1"}, [1], None),
        # Nobody says which devices the others have.
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, [1], Doubt.TASKS),
        ({"LOCAL_WORLD_SIZE": "2"}, [1], Doubt.TASKS),
        ({"LOCAL_WORLD_SIZE": "²", "MPI_LOCALNRANKS": "9" * 5000}, [1], None),
        ({"SLURM_STEP_TASKS_PER_NODE": "4"}, [1], Doubt.TASKS),
    ],
)
def test_one_of_several_tasks(environ: dict[str, str], indices: list[int], doubt: Doubt | None) -> None:
    selection = visible_devices({**environ, "CUDA_VISIBLE_DEVICES": "1"}, EIGHT)
    assert (numbers(selection), selection.doubt) == (indices, doubt)


@pytest.mark.parametrize(
    ("named", "indices", "doubt"),
    [("0,1", [0, 1], None), ("", [], None), ("0,0", [], Doubt.REPEATED), ("0,99", [0], Doubt.NOT_FOUND)],
)
def test_torchrun_shows_all_devices_to_each_of_its_processes(
    named: str, indices: list[int], doubt: Doubt | None
) -> None:
    selection = chosen(EIGHT, CUDA_VISIBLE_DEVICES=named, LOCAL_WORLD_SIZE="2")
    assert (numbers(selection), selection.doubt) == (indices, doubt)


def test_a_task_with_a_slice_keeps_its_slice() -> None:
    named = {"CUDA_VISIBLE_DEVICES": "MIG-37b5", "SLURM_STEP_GPUS": "0,1", "SLURM_STEP_TASKS_PER_NODE": "2"}
    (visible,) = visible_devices(named, [CUT, PLAIN]).visible
    assert len(visible.mig_devices) == 1


VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "SLURM_JOB_GPUS",
    "SLURM_STEP_GPUS",
    "NVIDIA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
)
FLEET = [*EIGHT[:3], CUT, SLOW, GpuDevice(9, "")]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(max_size=40) | st.from_regex(r"[-+0-9GPUMI,:/ae]*")))
def test_nothing_in_the_environment_breaks_it(environ: dict[str, str]) -> None:
    selection = visible_devices(environ, FLEET)
    devices = [visible.device for visible in selection.visible]
    assert len(set(devices)) == len(devices)
    assert set(devices) <= set(FLEET)
    assert all(0 < visible.share <= 1 for visible in selection.visible)
    assert selection.doubt is not Doubt.REPEATED or not devices


@settings(deadline=None)
@given(st.lists(st.integers(-2, 9), min_size=1, max_size=6), st.permutations(EIGHT))
def test_the_order_in_which_nvml_lists_equal_devices_does_not_matter(
    indices: list[int], listed: list[GpuDevice]
) -> None:
    named = ",".join(map(str, indices))
    assert chosen(listed, CUDA_VISIBLE_DEVICES=named) == chosen(EIGHT, CUDA_VISIBLE_DEVICES=named)


@settings(deadline=None)
@given(st.lists(st.integers(0, 7), unique=True), st.lists(st.integers(0, 7), max_size=3))
def test_nothing_after_minus_one_counts(before: list[int], after: list[int]) -> None:
    named = ",".join(map(str, [*before, -1, *after]))
    assert numbers(chosen(EIGHT, CUDA_VISIBLE_DEVICES=named)) == before


@settings(deadline=None)
@given(st.permutations(EIGHT), st.integers(4, 40))
def test_index_and_identifier_name_the_same_device(devices: list[GpuDevice], length: int) -> None:
    for index, device in enumerate(EIGHT):
        by_index = chosen(devices, CUDA_VISIBLE_DEVICES=str(index))
        assert numbers(by_index) == [device.index]
        by_name = chosen(devices, CUDA_VISIBLE_DEVICES=device.uuid[:length])
        fitting = [other for other in EIGHT if other.uuid.startswith(device.uuid[:length])]
        assert by_name.visible == (by_index.visible if len(fitting) == 1 else ())
