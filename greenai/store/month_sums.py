"""Energy and CO2 by month and project, however many runs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from greenai.store import schema as s

if TYPE_CHECKING:
    from greenai.store.store import Store


class MonthSum(NamedTuple):
    """The runs of a project that began in a month.

    Attributes:
        year_month: E.g. 202611, in UTC.
        project: None of runs that name none.
        runs: How many.
        without_energy: Of how many of them the energy is unknown.
        without_location: Of how many the emissions by location are.
        total_j: IT energy of those it is known of, joules; None if there are none.
        location_g: Emissions by location of those they are known of, grams; None if there are none. CO2 or CO2e,
            direct or life cycle, as each run's factor counts: which, only the footprints say.
    """

    year_month: int
    project: str | None
    runs: int
    without_energy: int
    without_location: int
    total_j: float | None
    location_g: float | None


def month_sums(store: Store) -> list[MonthSum]:
    """Return the sums, oldest month first.

    Raises:
        StoreError: The database cannot be read.
    """
    keys = (s.run.c.year_month, s.run.c.project)
    figures = (s.run.c.total_j, s.run.c.location_g)
    lacking = [func.count() - func.count(figure) for figure in figures]
    sums = [func.sum(figure) for figure in figures]
    with store.reading() as connection:
        found = connection.execute(select(*keys, func.count(), *lacking, *sums).group_by(*keys).order_by(*keys))
        return [MonthSum(*row) for row in found]
