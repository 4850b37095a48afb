"""The database: one schema for SQLite and PostgreSQL. Stored is IT energy; factors are applied beside it."""

from greenai.store.store import Store, open_store

__all__ = ["Store", "open_store"]
