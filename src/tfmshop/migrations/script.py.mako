"""${message}"""

from pathlib import Path

from alembic import op

from tfmshop.platform.db.migrate import run_file

revision = "${up_revision}"
down_revision = ${repr(down_revision)}


def upgrade():
    """Run the SQL file of the same name."""
    run_file(op.get_bind(), Path(__file__).with_suffix(".sql"))
