"""Batch jobs as Slurm's accounting has them, and the job of each run."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_json: Any = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_LONGEST_JOB_ID = 32


def upgrade() -> None:
    op.create_table(
        "slurm_job",
        sa.Column("cluster", sa.String(length=40), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("restart_count", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(), nullable=True),
        sa.Column("imported_ms", sa.BigInteger(), nullable=False),
        sa.Column("job", _json, nullable=False),
        sa.PrimaryKeyConstraint("cluster", "job_id", "started_ms", name="pk_slurm_job"),
    )
    op.create_index("ix_slurm_job_job_id", "slurm_job", ["job_id"])
    op.add_column("run", sa.Column("slurm_job_id", sa.String(length=_LONGEST_JOB_ID), nullable=True))
    _fill()
    op.create_index("ix_run_slurm_job_id", "run", ["slurm_job_id"])


def _fill() -> None:
    run = sa.table("run", sa.column("id"), sa.column("slurm", _json), sa.column("slurm_job_id"))
    connection = op.get_bind()
    for run_id, slurm in connection.execute(sa.select(run.c.id, run.c.slurm)).all():
        job_id = slurm.get("job_id") if isinstance(slurm, dict) else None
        if isinstance(job_id, str) and 0 < len(job_id) <= _LONGEST_JOB_ID:
            connection.execute(sa.update(run).where(run.c.id == run_id).values(slurm_job_id=job_id))
