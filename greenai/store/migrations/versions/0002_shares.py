"""Channels know the machine's energy beside the run's share, the rule of sharing, and what readings were lost."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_json: Any = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    for column in (
        sa.Column("quality", sa.String(length=16), nullable=True),
        sa.Column("machine_energy_j", sa.Double(), nullable=True),
        sa.Column("policy", sa.String(), nullable=True),
        sa.Column("part_of", sa.String(), nullable=True),
        sa.Column("lost_readings", _json, nullable=True),
    ):
        op.add_column("channel", column)
    # Until now nothing was shared out: the run's energy was the machine's.
    channel = sa.table(
        "channel",
        sa.column("run_id", sa.String),
        sa.column("ordinal", sa.Integer),
        sa.column("definition", _json),
        sa.column("energy_j", sa.Double),
        sa.column("quality", sa.String),
        sa.column("machine_energy_j", sa.Double),
        sa.column("lost_readings", _json),
    )
    connection = op.get_bind()
    fill = (
        sa.update(channel)
        .where(channel.c.run_id == sa.bindparam("of_run"), channel.c.ordinal == sa.bindparam("number"))
        .values(quality=sa.bindparam("found"), machine_energy_j=channel.c.energy_j, lost_readings={})
    )
    wanted = sa.select(channel.c.run_id, channel.c.ordinal, channel.c.definition)
    rows = [
        {"of_run": run_id, "number": ordinal, "found": definition["quality"]}
        for run_id, ordinal, definition in connection.execute(wanted)
    ]
    if rows:
        connection.execute(fill, rows)
    with op.batch_alter_table("channel") as table:
        table.alter_column("quality", existing_type=sa.String(length=16), nullable=False)
        table.alter_column("lost_readings", existing_type=_json, nullable=False)
