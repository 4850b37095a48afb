"""The tables. Energies are joules of IT energy; times are epoch milliseconds; texts are {de, en}."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)
from sqlalchemy.dialects.postgresql import JSONB

from greenai.core.views import SORTABLE

# The newest migration; a test holds it against the migrations folder.
HEAD = "0006"

SHARED_KEY_LENGTH = 32

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_json = JSON().with_variant(JSONB(), "postgresql")
_json_or_null = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def _of_run() -> Column[str]:
    return Column("run_id", String(64), ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)


run = Table(
    "run",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String, nullable=False),
    Column("project", String),
    Column("task", String),
    Column("approach", String(16)),
    Column("phase", String(16)),
    Column("state", String(16), nullable=False),
    Column("exit_code", Integer),
    Column("error", String),
    Column("started_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("year_month", Integer, nullable=False),  # 202611; grouping by it needs no date arithmetic
    Column("duration_s", Double, nullable=False),
    Column("user", String),
    Column("git_commit", String),
    Column("unit", String),
    Column("units", Double, nullable=False),
    Column("total_j", Double),
    Column("low_j", Double),
    Column("high_j", Double),
    Column("measured_share", Double),
    Column("quality", String(16)),
    Column("scope", String(16), nullable=False),
    Column("machine_total_j", Double),
    Column("location_g", Double),  # of the current footprint, for sorting and sums
    Column("journal_lines", Integer, nullable=False),
    Column("journal_bad_lines", Integer, nullable=False),
    Column("journal_sha256", String(64), nullable=False),
    Column("hosts", _json, nullable=False),
    Column("tags", _json, nullable=False),
    Column("slurm", _json),
    Column("environment", _json, nullable=False),
    Column("site", _json, nullable=False),
    Column("checkpoints", _json, nullable=True),  # NULL in runs of versions that knew none
    Column("slurm_job_id", String(32)),
    Column("samples_dropped_ms", BigInteger),  # when its raw samples were, NULL: never, or it had none
    *(Index(None, name, "id") for name in SORTABLE),
    Index(None, "slurm_job_id"),
    Index(None, "year_month", "project", "total_j", "location_g"),
)

channel = Table(
    "channel",
    metadata,
    _of_run(),
    Column("ordinal", Integer, primary_key=True),
    Column("host", String, nullable=False),
    Column("energy_j", Double),
    Column("low_j", Double),
    Column("high_j", Double),
    Column("uncertainty_rel", Double, nullable=False),
    Column("gap_s", Double, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("quality", String(16), nullable=False),
    Column("machine_energy_j", Double),
    Column("policy", String),
    Column("part_of", String),
    Column("lost_readings", _json, nullable=False),
    Column("note", _json),
    Column("definition", _json, nullable=False),  # greenai.core.channel.Channel
)

window = Table(
    "run_window",
    metadata,
    _of_run(),
    Column("ordinal", Integer, primary_key=True),
    Column("window_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("parent", String),
    Column("started_ms", BigInteger, nullable=False),
    Column("duration_s", Double, nullable=False),
    Column("energy_j", Double),
)

metric = Table(
    "metric",
    metadata,
    _of_run(),
    Column("ordinal", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("value", Double, nullable=False),
    Column("higher_is_better", Boolean, nullable=False),
)

incident = Table(
    "incident",
    metadata,
    _of_run(),
    Column("ordinal", Integer, primary_key=True),
    Column("code", String, nullable=False),
    Column("message", _json, nullable=False),
    Column("remedy", _json),
)

# Of a service; a run has one row or none.
request_total = Table(
    "request_total",
    metadata,
    _of_run(),
    Column("ordinal", Integer, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("units", Double, nullable=False),
    Column("tokens", Double),
    Column("busy_s", Double, nullable=False),
    Column("idle_s", Double, nullable=False),
    Column("busy_j", Double),
    Column("idle_j", Double),
    Column("energy_per_request_p50_j", Double),
    Column("energy_per_request_p95_j", Double),
    Column("energy_per_unit_p50_j", Double),
    Column("energy_per_unit_p95_j", Double),
    Column("energy_per_token_p50_j", Double),
    Column("energy_per_token_p95_j", Double),
)

service_hour = Table(
    "service_hour",
    metadata,
    _of_run(),
    Column("ordinal", Integer, primary_key=True),
    Column("started_ms", BigInteger, nullable=False),
    Column("duration_s", Double, nullable=False),
    Column("energy_j", Double),
    Column("busy_j", Double),
    Column("idle_j", Double),
    Column("requests", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("units", Double, nullable=False),
    Column("tokens", Double),
    Column("energy_per_request_p50_j", Double),
    Column("energy_per_request_p95_j", Double),
)

footprint = Table(
    "footprint",
    metadata,
    _of_run(),
    Column("version", Integer, primary_key=True),  # the highest is in force; older ones are history
    Column("computed_ms", BigInteger, nullable=False),
    Column("journal_sha256", String(64), nullable=False),  # the journals it was computed for
    Column("location_g", Double),
    Column("market_g", Double),
    Column("upstream_g", Double),
    Column("pue", Double, nullable=False),
    Column("pue_assumed", Boolean, nullable=False),
    Column("scope", String(16)),
    Column("factor_key", String(SHARED_KEY_LENGTH)),
    Column("reason_key", String(SHARED_KEY_LENGTH)),
    Column("market_reason_key", String(SHARED_KEY_LENGTH)),
    Column("water_l", Double),
    Column("water_key", String(SHARED_KEY_LENGTH)),
    Column("embodied_g", Double),
    Column("embodied_low_g", Double),
    Column("embodied_high_g", Double),
    Column("embodied_share", Double),
    Column("embodied", _json_or_null),  # [key of the device, how many] for each kind
    Column("embodied_reason_key", String(SHARED_KEY_LENGTH)),
    Column("market", _json_or_null),  # [key of the contract, kWh] for each part
    Column("cost_amount", Double),
    Column("currency", String(8), nullable=False),
)

# Factors, contracts and reasons of footprints, by a digest of their content; never changed, only added.
shared_value = Table(
    "shared_value",
    metadata,
    Column("key", String(SHARED_KEY_LENGTH), primary_key=True),
    Column("value", _json, nullable=False),
)

sample_chunk = Table(
    "sample_chunk",
    metadata,
    _of_run(),
    Column("channel", Integer, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# What people add later; taking a run in again does not touch it.
run_tag = Table(
    "run_tag",
    metadata,
    _of_run(),
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

baseline = Table(
    "baseline",
    metadata,
    Column("task", String, primary_key=True),
    Column("candidate", String, nullable=False),
    Column("set_ms", BigInteger, nullable=False),
    Column("set_by", String),
)

# What Slurm's accounting says of jobs, tracked or not.
slurm_job = Table(
    "slurm_job",
    metadata,
    Column("cluster", String(40), primary_key=True),
    Column("job_id", String(32), primary_key=True),
    Column("started_ms", BigInteger, primary_key=True),  # numbers come round again
    Column("restart_count", Integer, nullable=False),
    Column("state", String(32), nullable=False),
    Column("user", String),
    Column("imported_ms", BigInteger, nullable=False),
    Column("job", _json, nullable=False),  # greenai.core.batch_job.BatchJob
    Index(None, "job_id"),
)

# What is written anew when a run is taken in again.
OF_RUN = (channel, window, metric, incident, request_total, service_hour, sample_chunk)

# All that belongs to a run, and all that belongs to none.
WITH_RUN_ID = tuple(table for table in metadata.sorted_tables if "run_id" in table.c)
OF_NO_RUN = tuple(table for table in metadata.sorted_tables if table is not run and "run_id" not in table.c)
