"""What the user says about a run, and the facts that go with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenai.host.facts import environment_facts, git_commit, slurm_facts, user_name
from greenai.host.files import working_folder

if TYPE_CHECKING:
    from greenai.core.vocabulary import Scope
    from greenai.host import Host
    from greenai.settings import Settings
    from greenai.tracking.session.group import Group


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Arguments of ``track`` and of ``greenai run``; None means "not said" and leaves it to the settings."""

    name: str | None = None
    project: str | None = None
    task: str | None = None
    approach: str | None = None
    phase: str | None = None
    unit: str | None = None
    tags: Mapping[str, str] | None = None
    scope: str | None = None
    zone: str | None = None
    interval_s: float | None = None

    def overrides(self) -> dict[str, Any]:
        """Return the arguments that are settings too."""
        names = ("project", "task", "approach", "phase", "unit", "tags", "scope", "zone", "interval_s")
        values = {name: getattr(self, name) for name in names}
        return {**values, "tags": dict(self.tags) if isinstance(self.tags, Mapping) else self.tags}


def run_meta(
    host: Host,
    settings: Settings,
    name: str,
    scope: Scope,
    *,
    name_given: bool,
    service: bool,
    group: Group | None,
) -> dict[str, Any]:
    """Return the description of a run as its journal keeps it."""
    return {
        "name": name,
        "name_given": name_given,
        "project": settings.project,
        "task": settings.task,
        "approach": settings.approach,
        "phase": settings.phase,
        "unit": settings.unit,
        "tags": settings.tags,
        "scope": scope.value,
        "rest_of_node": settings.rest_of_node,
        "zone": settings.zone,
        "pue": settings.pue,
        "electricity_price_per_kwh": settings.electricity_price_per_kwh,
        "currency": settings.currency,
        "machine_owner": settings.machine_owner,
        "wue": settings.wue,
        "machine": settings.machine,
        "user": user_name(host),
        "git_commit": git_commit(working_folder()),
        "slurm": slurm_facts(host),
        "environment": environment_facts(host),
        "sampler_process": True,
        "service": service,
        "group": group and {"launcher": group.launcher, "rank": group.rank, "size": group.size},
    }
