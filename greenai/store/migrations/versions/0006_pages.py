"""Any column of the table of runs gives its first page at once; when samples were dropped."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SORTABLE = (
    "started_ms", "name", "project", "task", "approach", "phase", "state", "duration_s", "total_j", "location_g",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("run", sa.Column("samples_dropped_ms", sa.BigInteger(), nullable=True))
    for column in _SORTABLE:
        op.create_index(f"ix_run_{column}_id", "run", [column, "id"])
    op.drop_index("ix_run_started_ms", table_name="run")
    op.drop_index("ix_run_task_approach", table_name="run")
