"""Let people mark instruments: with tags, and as favourites.

Revision 0012, after 0011. Instruments of before have no tags and are no favourites.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("instrument", sa.Column("tags", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column(
        "instrument", sa.Column("favourite", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def downgrade() -> None:
    for column in ("favourite", "tags"):
        op.drop_column("instrument", column)
