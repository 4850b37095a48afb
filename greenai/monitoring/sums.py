"""Sums by project and greenai's own health, as families of series. Few series, however many runs there are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.exposition import Family, Point, SeriesKind
from greenai.core.version import __version__
from greenai.journal.spool import unprocessed_runs
from greenai.store.project_sums import ProjectSum, project_sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from greenai.analysis import Analysis

MOST_PROJECTS = 200
"""So many projects have series of their own, those with most energy; all others are added up under ``OTHERS``."""

OTHERS = "(others)"


@dataclass(frozen=True, slots=True)
class Overview:
    """What is known of the whole.

    Attributes:
        by_project: Sums over runs; of no more than ``MOST_PROJECTS``, and all others.
        bad_lines: Torn or unreadable lines of all journals.
        spool_bytes: Size of the files in the spool; None if it cannot be read.
        waiting: Runs of the spool that are not in the database as they now stand; None if it cannot be read.
    """

    by_project: Mapping[str, ProjectSum]
    bad_lines: int
    spool_bytes: int | None
    waiting: int | None

    @classmethod
    def of(cls, analysis: Analysis) -> Overview:
        """Look at everything.

        Raises:
            StoreError: The database cannot be read.
        """
        sums = project_sums(analysis.store)
        spool = analysis.settings.spool
        size = folder_bytes(spool)
        waiting = None if size is None else len(unprocessed_runs(spool))
        return cls(bounded(sums.by_project), sums.bad_lines, size, waiting)


def bounded(by_project: Mapping[str, ProjectSum]) -> dict[str, ProjectSum]:
    """Return the projects with most energy, and all others added up."""
    ranked = sorted(by_project.items(), key=lambda item: (-item[1].total_j, item[0]))
    found = dict(ranked[:MOST_PROJECTS])
    for _, each in ranked[MOST_PROJECTS:]:
        found.setdefault(OTHERS, ProjectSum()).add(each)
    return found


def folder_bytes(folder: Path) -> int | None:
    """Return the size of all files in a folder and the folders in it; None if it cannot be read."""
    total, waiting = 0, [os.fspath(folder)]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(inside) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue  # removed meanwhile, or no run has been there yet
        except OSError:
            if inside == os.fspath(folder):
                return None
    return total


def families_of_overview(overview: Overview, problems: int, took_s: float) -> tuple[Family, ...]:
    """Return the sums by project, and how greenai itself fares.

    Args:
        overview: The whole.
        problems: How many journals could not be taken in this time.
        took_s: How long this look took, seconds.
    """
    by_project = sorted(overview.by_project.items())
    return (
        _gauge(
            "greenai.project.energy",
            "J",
            "IT energy of all runs of a project; quality is the weakest in each run.",
            (
                Point(joules, {"project": project, "quality": quality})
                for project, of in by_project
                for quality, joules in sorted(of.energy_j.items())
            ),
        ),
        _gauge(
            "greenai.project.emissions",
            "g",
            "Location-based emissions (scope 2) of all runs of a project, by the factors in force.",
            (
                Point(of.location_g, {"project": project})
                for project, of in by_project
                if of.location_g is not None
            ),
        ),
        _gauge(
            "greenai.project.runs",
            "",
            "Runs of a project in the database.",
            (Point(of.runs, {"project": project}) for project, of in by_project),
        ),
        _gauge(
            "greenai.project.runs_without_energy",
            "",
            "Runs of a project of which nobody knows the energy.",
            (Point(of.without_energy, {"project": project}) for project, of in by_project),
        ),
        _gauge(
            "greenai.project.runs_without_emissions",
            "",
            "Runs of a project of which nobody knows the emissions.",
            (Point(of.without_emissions, {"project": project}) for project, of in by_project),
        ),
        _gauge("greenai.spool.size", "By", "Size of the journals in the spool.", _known(overview.spool_bytes)),
        _gauge(
            "greenai.spool.runs_waiting",
            "",
            "Runs of the spool, those that go on included, with lines that are not in the database yet.",
            _known(overview.waiting),
        ),
        _gauge(
            "greenai.journal.bad_lines",
            "",
            "Torn or unreadable lines in the journals of all runs in the database.",
            (Point(overview.bad_lines),),
        ),
        _gauge(
            "greenai.ingest.problems",
            "",
            "Journals that could not be taken into the database at the last look.",
            (Point(problems),),
        ),
        _gauge("greenai.look.duration", "s", "How long it took to look all this up.", (Point(took_s),)),
        _gauge(
            "greenai.build.info", "", "Always 1: which version answers.", (Point(1, {"version": __version__}),)
        ),
    )


def _gauge(name: str, unit: str, about: str, points: Iterable[Point]) -> Family:
    return Family(name, SeriesKind.GAUGE, unit, about, tuple(points))


def _known(value: float | None) -> tuple[Point, ...]:
    return () if value is None else (Point(value),)
