"""0040_order_tokens"""

from pathlib import Path

from alembic import op

from tfmshop.platform.db.migrate import run_file

revision = "0040"
down_revision = "0039"


def upgrade():
    """Run the SQL file of the same name."""
    run_file(op.get_bind(), Path(__file__).with_suffix(".sql"))
