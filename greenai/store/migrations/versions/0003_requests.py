"""Requests of services: their sums, and one row for each hour. Checkpoints of runs."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_json: Any = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("run", sa.Column("checkpoints", _json, nullable=True))
    op.create_table(
        "request_total",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.Double(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=True),
        sa.Column("busy_s", sa.Double(), nullable=False),
        sa.Column("idle_s", sa.Double(), nullable=False),
        sa.Column("busy_j", sa.Double(), nullable=True),
        sa.Column("idle_j", sa.Double(), nullable=True),
        sa.Column("energy_per_request_p50_j", sa.Double(), nullable=True),
        sa.Column("energy_per_request_p95_j", sa.Double(), nullable=True),
        sa.Column("energy_per_unit_p50_j", sa.Double(), nullable=True),
        sa.Column("energy_per_unit_p95_j", sa.Double(), nullable=True),
        sa.Column("energy_per_token_p50_j", sa.Double(), nullable=True),
        sa.Column("energy_per_token_p95_j", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_request_total_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "ordinal", name="pk_request_total"),
    )
    op.create_table(
        "service_hour",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("energy_j", sa.Double(), nullable=True),
        sa.Column("busy_j", sa.Double(), nullable=True),
        sa.Column("idle_j", sa.Double(), nullable=True),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.Double(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=True),
        sa.Column("energy_per_request_p50_j", sa.Double(), nullable=True),
        sa.Column("energy_per_request_p95_j", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_service_hour_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "ordinal", name="pk_service_hour"),
    )
