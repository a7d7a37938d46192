"""Add the licence and the playable range of instruments.

Revision 0002, after 0001. Both stay unknown for instruments enrolled before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = {"licence": sa.Text, "lowest_pitch": sa.Integer, "highest_pitch": sa.Integer}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("instrument", sa.Column(name, kind(), nullable=True))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("instrument", name)
