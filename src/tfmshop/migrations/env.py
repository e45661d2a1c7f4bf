"""Alembic's entry: runs each revision in its own transaction on the connection that `db.migrate` hands over."""

from alembic import context

config = context.config
connection = config.attributes["connection"]


def _note(step, **_):
    config.attributes["done"].append(step.up_revision.doc)


context.configure(
    connection=connection,
    transaction_per_migration=True,
    version_table_schema="public",
    on_version_apply=_note,
)
with context.begin_transaction():
    context.run_migrations()
