"""Alembic's entry: migrations run on the connection that ``greenai.store.engine`` hands over."""

from alembic import context

from greenai.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
