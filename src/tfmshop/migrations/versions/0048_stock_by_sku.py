"""0048_stock_by_sku"""

from pathlib import Path

from alembic import op

from tfmshop.platform.db.migrate import run_file

revision = "0048"
down_revision = "0047"


def upgrade():
    """Run the SQL file of the same name."""
    run_file(op.get_bind(), Path(__file__).with_suffix(".sql"))
