"""Let enrollments go on after a restart: jobs know their source and what they have stored, instruments know their job.

Revision 0011, after 0010. Enrollments of before have stored all or nothing, and have no source to go on from.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("source_path", sa.Text(), nullable=True))
    op.add_column("job", sa.Column("kept", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("job", sa.Column("taken_out_at", sa.DateTime(), nullable=True))
    op.add_column("instrument", sa.Column("job_id", sa.String(16), nullable=True))


def downgrade() -> None:
    op.drop_column("instrument", "job_id")
    for column in ("taken_out_at", "kept", "source_path"):
        op.drop_column("job", column)
