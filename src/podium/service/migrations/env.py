"""Alembic runs this: migrations over the connection that the service gives."""

from alembic import context

from podium.service.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
