"""Slurm's short form of lists of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.hostlist import MOST_NODES, expand

if TYPE_CHECKING:
    from .cluster import Cluster

LISTS = {
    "": (),
    "n1": ("n1",),
    "n[1-3],n1": ("n1", "n2", "n3", "n1"),
    "jwb[0009-0011,0020],n1": ("jwb0009", "jwb0010", "jwb0011", "jwb0020", "n1"),
    "rack[0-1]n[0-1]": ("rack0n0", "rack0n1", "rack1n0", "rack1n1"),
    "n[08-11]": ("n08", "n09", "n10", "n11"),
    "n[9-010]": ("n9", "n10"),
    "n[1-2][3-4]": ("n13", "n14", "n23", "n24"),
    "n[1,2,1]": ("n1", "n2", "n1"),
    "a,,b,": ("a", "b"),
    "n[0-1]-ib[3,5]": ("n0-ib3", "n0-ib5", "n1-ib3", "n1-ib5"),
}


@pytest.mark.parametrize(("hostlist", "names"), LISTS.items())
def test_lists(hostlist: str, names: tuple[str, ...]) -> None:
    assert expand(hostlist) == names


@pytest.mark.parametrize(
    "hostlist",
    [
        "n[3-1]", "n[1-2", "n1-2]", "n[]", "n[a-b]", "n[1-]", "n[-1]", "n[[1]]", "a b", "(null)", "n[1-2]]",
        f"n[0-{MOST_NODES}]", "n[0-9999][0-9999]", "n[1-999999999999999999]", "n[" + "9" * 5000 + "]",
        "n[0-65535],m", "n[²]",
    ],
)  # fmt: skip
def test_what_is_no_list_or_endless(hostlist: str) -> None:
    with pytest.raises(ValueError, match=r"not a|more than"):
        expand(hostlist)


@given(text=st.text("n1209[]-, ()", max_size=20))
def test_any_text_is_a_list_or_a_value_error(text: str) -> None:
    try:
        names = expand(text)
    except ValueError:
        return
    assert expand(",".join(names)) == names


@pytest.mark.slow
def test_slurm_itself_reads_the_lists_so(cluster: Cluster) -> None:
    def hostnames(hostlist: str) -> tuple[str, ...]:
        return tuple(cluster.run("scontrol", "show", "hostnames", hostlist).stdout.split())

    for hostlist, names in LISTS.items():
        if hostlist:  # which Slurm takes as: those of this job
            assert hostnames(hostlist) == names
