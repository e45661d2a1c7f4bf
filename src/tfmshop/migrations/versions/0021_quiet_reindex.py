"""0021_quiet_reindex"""

from pathlib import Path

from alembic import op

from tfmshop.platform.db.migrate import run_file

revision = "0021"
down_revision = "0020"


def upgrade():
    """Run the SQL file of the same name."""
    run_file(op.get_bind(), Path(__file__).with_suffix(".sql"))
