"""Sums over all runs of each project, for monitoring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from greenai.store import schema as s

if TYPE_CHECKING:
    from greenai.store.store import Store


@dataclass(slots=True)
class ProjectSum:
    """Runs of one project.

    Attributes:
        energy_j: IT energy, joules, by the weakest quality in each run (``measured``, ``allocated``, ...).
        location_g: Location-based emissions of those whose emissions are known, grams; None if none's are. CO2 or
            CO2e, direct or life cycle, as each run's factor counts.
        runs: How many.
        without_energy: How many of them nobody knows the energy of.
        without_emissions: How many of them nobody knows the emissions of.
    """

    energy_j: dict[str, float] = field(default_factory=dict)
    location_g: float | None = None
    runs: int = 0
    without_energy: int = 0
    without_emissions: int = 0

    @property
    def total_j(self) -> float:
        """All that is known, joules."""
        return sum(self.energy_j.values())

    def add(self, other: ProjectSum) -> None:
        """Add the runs of another project."""
        for quality, joules in other.energy_j.items():
            self.energy_j[quality] = self.energy_j.get(quality, 0.0) + joules
        if other.location_g is not None:
            self.location_g = (self.location_g or 0.0) + other.location_g
        self.runs += other.runs
        self.without_energy += other.without_energy
        self.without_emissions += other.without_emissions


class ProjectSums(NamedTuple):
    """All runs of a database.

    Attributes:
        by_project: The sums; runs without a project under the empty name.
        bad_lines: Lines of their journals that were torn or unreadable.
    """

    by_project: dict[str, ProjectSum]
    bad_lines: int


def project_sums(store: Store) -> ProjectSums:
    """Return sums over all runs, by project.

    Raises:
        StoreError: The database cannot be read.
    """
    statement = select(
        s.run.c.project,
        s.run.c.quality,
        func.count(),
        func.count(s.run.c.total_j),
        func.sum(s.run.c.total_j),
        func.count(s.run.c.location_g),
        func.sum(s.run.c.location_g),
        func.sum(s.run.c.journal_bad_lines),
    ).group_by(s.run.c.project, s.run.c.quality)
    found: dict[str, ProjectSum] = {}
    bad_lines = 0
    with store.reading() as connection:
        rows = connection.execute(statement).all()
    for project, quality, runs, with_energy, energy_j, with_emissions, location_g, bad in rows:
        by_quality = {str(quality or "unknown"): float(energy_j)} if with_energy else {}
        part = ProjectSum(by_quality, location_g, runs, runs - with_energy, runs - with_emissions)
        found.setdefault(str(project or ""), ProjectSum()).add(part)
        bad_lines += int(bad or 0)
    return ProjectSums(found, bad_lines)
