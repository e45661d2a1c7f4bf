"""0043_order_notes"""

from pathlib import Path

from alembic import op

from tfmshop.platform.db.migrate import run_file

revision = "0043"
down_revision = "0042"


def upgrade():
    """Run the SQL file of the same name."""
    run_file(op.get_bind(), Path(__file__).with_suffix(".sql"))
