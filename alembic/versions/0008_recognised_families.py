"""Keep the families that are recognised for an instrument whose source names none.

Revision 0008, after 0007. Instruments enrolled before have none until they are embedded or enrolled again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("instrument", sa.Column("families", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("instrument", "families")
