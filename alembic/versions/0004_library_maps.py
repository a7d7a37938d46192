"""Store the map of each library.

Revision 0004, after 0003. The map of a library enrolled before is drawn when somebody first asks for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "library_map",
        sa.Column("library_id", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(10), nullable=False),
        sa.Column("explained_variance", sa.JSON(), nullable=True),
        sa.Column("vector_ids", sa.LargeBinary(), nullable=False),
        sa.Column("points", sa.LargeBinary(), nullable=False),
        sa.Column("num_guessed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("library_id", name="pk_library_map"),
        sa.ForeignKeyConstraint(
            ["library_id"], ["library.id"], name="fk_library_map_library_id_library", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("library_map")
