"""Control groups: which one a process is in, and where its folder is. Versions 1 and 2, hybrids, containers.

A process names its group of each hierarchy in ``/proc/<pid>/cgroup``, and ``/proc/<pid>/mountinfo`` says where the
hierarchy is mounted (man 7 cgroups, cgroup_namespaces; man 5 proc)::

    0::/user.slice/user-1000.slice/session-3.scope        version 2: one hierarchy for all controllers
    4:memory:/docker/4f3c...                              version 1: one line for each hierarchy
    35 31 0:32 /docker/4f3c... /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
               ^ this group is the mount point: the group's folder is the path without this root

In a cgroup namespace both paths are relative to the namespace, so a container sees itself as ``/``. ``/../x`` is
outside of it; such a group has a folder here only if the mount reaches out as far.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from greenai.host.machine import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from greenai.host.machine import Host

CONTROLLERS = ("cpuacct", "cpu", "cpuset", "memory")
"""Those of version 1 that matter here."""
UNIFIED = ""
"""The name under which version 2 goes here; ``/proc/<pid>/cgroup`` gives it none."""

# Docker, Podman, containerd, CRI-O, Kubernetes and LXC, where the container sees the host's paths.
_CONTAINER = re.compile(r"docker|libpod|containerd|crio|kubepods|/lxc")
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Cgroup(NamedTuple):
    """A control group.

    A controller that does not know the group (not mounted, or the group is in another hierarchy's tree only) has
    some other controller's folder here, so that its files are missing.

    Attributes:
        version: 1 or 2.
        cpu_folder: Where its CPU time is.
        memory_folder: Where its memory is.
        path: Its path as ``/proc/<pid>/cgroup`` gives it; ``/`` for a container that sees nothing above itself.
        quota_folder: Where its CPU quota is; None for ``cpu_folder``.
        cpuset_folder: Where its CPUs are; None for ``cpu_folder``.
    """

    version: int
    cpu_folder: Path
    memory_folder: Path
    path: str
    quota_folder: Path | None = None
    cpuset_folder: Path | None = None


class Mount(NamedTuple):
    """A mounted hierarchy.

    Attributes:
        names: Its controllers; ``UNIFIED`` for version 2.
        root: Path of the group that is its topmost folder.
        folder: Where it is mounted.
    """

    names: frozenset[str]
    root: str
    folder: Path


def own_cgroup(host: Host, pid: str = "self") -> Cgroup | None:
    """Return the group a process is in; None if there is none or its folder cannot be seen from here.

    Args:
        host: The machine.
        pid: A process id, or ``self``.
    """
    return find_cgroup(host, pid, lambda path: path)


def find_cgroup(host: Host, pid: str, cut: Callable[[str], str | None]) -> Cgroup | None:
    """Return the group that holds a process, or one above that.

    Args:
        host: The machine.
        pid: A process id, or ``self``.
        cut: Makes of a path the one that is asked for, or None.
    """
    handles = {name: path for name, full in _handles(host.proc_root / pid) if (path := cut(full)) is not None}
    return cgroup_of_paths(mounts_of(host, pid), handles)


def cgroup_of_paths(mounts: Sequence[Mount], paths: Mapping[str, str]) -> Cgroup | None:
    """Return the group with these paths, None if it has no folder here.

    Args:
        mounts: What is mounted, see ``mounts_of``.
        paths: By controller (``UNIFIED`` for version 2).
    """
    folders = {name: folder for name, path in paths.items() if (folder := folder_of(mounts, name, path))}
    cpu, memory = folders.get("cpuacct"), folders.get("memory")
    found = cpu or memory
    if found is not None:
        path = paths["cpuacct" if cpu else "memory"]
        group = Cgroup(1, cpu or found, memory or found, path)
        return group._replace(quota_folder=folders.get("cpu"), cpuset_folder=folders.get("cpuset"))
    unified = folders.get(UNIFIED)
    return Cgroup(2, unified, unified, paths[UNIFIED]) if unified is not None else None


def mounts_of(host: Host, pid: str = "self") -> list[Mount]:
    """Return the hierarchies that a process sees mounted, the latest mount first: it hides the others."""
    mounts: list[Mount] = []
    for line in reversed((read_text(host.proc_root / pid / "mountinfo") or "").splitlines()):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 6 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):  # noqa: PLR2004
            continue
        names = frozenset(kind[2].split(",")) if kind[0] == "cgroup" else frozenset({UNIFIED})
        point = _unescape(fields[4])
        in_sysfs = point.startswith("/sys/")
        folder = host.sys_root / point[5:] if in_sysfs else Path(point)
        mounts.append(Mount(names, _unescape(fields[3]), folder))
    return mounts


def folder_of(mounts: Sequence[Mount], name: str, path: str) -> Path | None:
    """Return the folder of a group, None if it cannot be seen from here.

    Args:
        mounts: What is mounted.
        name: The controller.
        path: The group's path as ``/proc`` names it.
    """
    wanted = [part for part in path.split("/") if part]
    for names, root, point in mounts:
        above = [part for part in root.split("/") if part]
        below = wanted[len(above) :]
        if name in names and wanted[: len(above)] == above and ".." not in below:
            folder = point.joinpath(*below)
            if folder.is_dir():
                return folder
    return None


def is_container(cgroup: Cgroup) -> bool:
    """Say whether this is a container: by its path, or by being the topmost to be seen without being a root.

    Only a root has ``release_agent`` (v1), only a root lacks ``cgroup.type`` (v2).
    """
    folder = cgroup.memory_folder
    is_root = (folder / "release_agent").exists() if cgroup.version == 1 else not (folder / "cgroup.type").exists()
    topmost = not (folder.parent / "cgroup.procs").exists()
    return _CONTAINER.search(cgroup.path) is not None or (topmost and not is_root)


def cgroup_pids(cgroup: Cgroup) -> list[int]:
    """Return the processes of the group and of all groups below it; empty where they cannot be seen."""
    pids: list[int] = []
    for file in [cgroup.cpu_folder / "cgroup.procs", *cgroup.cpu_folder.rglob("cgroup.procs")]:
        pids += [int(pid) for pid in (read_text(file) or "").split()]
    return sorted(set(pids))


def _handles(process: Path) -> Iterator[tuple[str, str]]:
    """Yield (controller, path) from ``/proc/<pid>/cgroup``."""
    for line in (read_text(process / "cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            yield UNIFIED, path
        for name in names.split(","):
            if name in CONTROLLERS:
                yield name, path


def _unescape(path: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 8)), path)
