"""0052_learning_leaves_pages"""

from pathlib import Path

from alembic import op

from tfmshop.platform.db.migrate import run_file

revision = "0052"
down_revision = "0051"


def upgrade():
    """Run the SQL file of the same name."""
    run_file(op.get_bind(), Path(__file__).with_suffix(".sql"))
