"""Market-based, water and embodied figures; what many footprints share is kept once."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_json: Any = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_KEY = sa.String(length=32)
_MOVED = {"factor": "factor_key", "reason": "reason_key"}


def upgrade() -> None:
    op.create_table(
        "shared_value",
        sa.Column("key", _KEY, nullable=False),
        sa.Column("value", _json, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_shared_value"),
    )
    for name in (*_MOVED.values(), "market_reason_key", "water_key", "embodied_reason_key"):
        op.add_column("footprint", sa.Column(name, _KEY, nullable=True))
    for name in ("market_g", "water_l", "embodied_g", "embodied_low_g", "embodied_high_g", "embodied_share"):
        op.add_column("footprint", sa.Column(name, sa.Double(), nullable=True))
    for name in ("market", "embodied"):
        op.add_column("footprint", sa.Column(name, _json, nullable=True))
    op.add_column("footprint", sa.Column("scope", sa.String(length=16), nullable=True))
    for old, new in _MOVED.items():
        _move(old, new)
        op.drop_column("footprint", old)


def _move(old: str, new: str) -> None:
    footprint = sa.table("footprint", sa.column(old, _json), sa.column(new, _KEY))
    shared = sa.table("shared_value", sa.column("key", _KEY), sa.column("value", _json))
    connection = op.get_bind()
    written = sa.cast(footprint.c[old], sa.Text)
    for text in connection.execute(sa.select(written).distinct()).scalars().all():
        value = json.loads(text) if text else None
        if value is None:
            continue
        plain = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        key = hashlib.sha256(plain.encode()).hexdigest()[:32]
        if connection.execute(sa.select(shared.c.key).where(shared.c.key == key)).first() is None:
            connection.execute(sa.insert(shared).values(key=key, value=value))
        connection.execute(sa.update(footprint).where(written == text).values({new: key}))
