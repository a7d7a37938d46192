"""Keep the folders that libraries follow, and what was seen in them.

Revision 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watch",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("library_id", sa.String(16), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("in_service", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("owner", sa.String(16), nullable=True),
        sa.Column("leased_until", sa.DateTime(), nullable=True),
        sa.Column("synced_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["library_id"], ["library.id"], name=op.f("fk_watch_library_id_library"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch")),
    )
    op.create_index(op.f("ix_watch_library_id"), "watch", ["library_id"])
    _create_table_of_watch(
        "watched_file",
        sa.Column("num_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    _create_table_of_watch(
        "watched_entry",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("instruments", sa.JSON(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
    )


def _create_table_of_watch(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("watch_id", sa.String(16), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["watch_id"], ["watch.id"], name=op.f(f"fk_{name}_watch_id_watch"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_watch_id"), name, ["watch_id"])


def downgrade() -> None:
    for table in ("watched_entry", "watched_file"):
        op.drop_index(op.f(f"ix_{table}_watch_id"), table_name=table)
        op.drop_table(table)
    op.drop_index(op.f("ix_watch_library_id"), table_name="watch")
    op.drop_table("watch")
