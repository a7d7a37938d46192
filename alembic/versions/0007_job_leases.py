"""Let jobs say which process runs them, and until when it is taken for alive.

Revision 0007, after 0006. Jobs of before belong to no process: unfinished ones are interrupted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("owner", sa.String(16), nullable=True))
    op.add_column("job", sa.Column("leased_until", sa.DateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("job", "leased_until")
    op.drop_column("job", "owner")
