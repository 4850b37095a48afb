"""From the spool into the database: idempotent, so that it can be repeated at any time."""

from greenai.ingest.ingest import IngestReport, ingest_folder, ingest_spool

__all__ = ["IngestReport", "ingest_folder", "ingest_spool"]
