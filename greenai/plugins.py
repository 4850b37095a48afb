"""Finding what others plug in: collectors, reports, commands. Built-ins come through the same door.

Entry points are read from the ``*.dist-info/entry_points.txt`` files on ``sys.path`` directly. That costs 2 ms
where ``importlib.metadata`` costs 18 ms (docs/decisions/0003-entry-points.md), and it happens before each run.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from greenai.core.collector import Incident
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from greenai.core.collector import Collector
    from greenai.host import Host

COLLECTORS = "greenai.collectors"
REPORTS = "greenai.reports"
COMMANDS = "greenai.commands"

_BROKEN = Text(
    de="Das Zusatzmodul „{name}“ ({value}) ließ sich nicht laden: {reason}.",
    en='The plug-in "{name}" ({value}) could not be loaded: {reason}.',
)


class Plugin(NamedTuple):
    """An entry point: ``value`` is ``module:attribute``."""

    group: str
    name: str
    value: str

    def load(self) -> Any:
        """Import the module and return the attribute.

        Raises:
            Exception: Whatever the plug-in's own import raises.
        """
        module, _, attribute = self.value.partition(":")
        return attrgetter(attribute)(import_module(module))


class LoadedCollectors(NamedTuple):
    """The collectors that could be built, and an incident for each that could not.

    Attributes:
        plugins: Where they come from, in the same order; nothing if they come from elsewhere.
    """

    collectors: tuple[Collector, ...]
    incidents: tuple[Incident, ...]
    plugins: tuple[Plugin, ...] = ()


def discover(group: str, path: Iterable[str] | None = None) -> list[Plugin]:
    """Return the entry points of a group; the first distribution on the path wins a name, as in imports.

    Args:
        group: Name of the group.
        path: Folders to look in; default is ``sys.path``. Looked through once per process.
    """
    return list(_discover(group, tuple(sys.path if path is None else path)))


@lru_cache
def _discover(group: str, path: tuple[str, ...]) -> tuple[Plugin, ...]:
    found: dict[str, Plugin] = {}
    for folder in path:
        try:
            entries = sorted(os.listdir(folder or "."))  # noqa: PTH208  # names, not paths: this is hot
        except OSError:
            continue
        for entry in entries:
            if entry.endswith(".dist-info"):
                for plugin in _entry_points(f"{folder or '.'}/{entry}/entry_points.txt", group):
                    found.setdefault(plugin.name, plugin)
    return tuple(found.values())


def preload_collectors() -> None:
    """Import the collectors' modules ahead of time, so that starting a run does not have to."""
    for plugin in discover(COLLECTORS):
        with suppress(Exception, SystemExit):  # a broken one is reported when it is needed
            plugin.load()


def load_collectors(host: Host, plugins: Sequence[Plugin] | None = None) -> LoadedCollectors:
    """Build collectors. A broken plug-in is an incident, never fatal.

    Args:
        host: The machine.
        plugins: Which; default is all that are installed.
    """
    collectors: list[Collector] = []
    incidents: list[Incident] = []
    built: list[Plugin] = []
    for plugin in discover(COLLECTORS) if plugins is None else plugins:
        try:
            collector = plugin.load()(host)
            collector.name, collector.slow, collector.verified_on  # noqa: B018  # one that lacks them is broken
            collectors.append(collector)
            built.append(plugin)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # somebody else's code: anything may happen
            message = _BROKEN.format(name=plugin.name, value=plugin.value, reason=repr(error))
            incidents.append(Incident("plugin_broken", message))
    return LoadedCollectors(tuple(collectors), tuple(incidents), tuple(built))


def _entry_points(file: str, group: str) -> list[Plugin]:
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123  # hot: 100 files before each run
            text = stream.read()
    except OSError:
        return []
    if f"[{group}]" not in text:
        return []
    plugins = []
    inside = False
    for line in (raw.strip() for raw in text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{group}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            plugins.append(Plugin(group, name.strip(), value.split("[")[0].strip()))
    return plugins
