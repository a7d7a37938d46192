"""Keep access keys, their sessions and a record of deletions; libraries, queries and jobs belong to keys.

Revision 0010, after 0009. What there was before belongs to the owner of the machine (no key). A downgrade drops the keys; where
libraries of several keys have one name, it puts their ids behind it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEPT = sa.text("deleted_at IS NULL")
UNOWNED = sa.text("deleted_at IS NULL AND key_id IS NULL")
UNIQUE_AMONG_KEPT = {"unique": True, "sqlite_where": KEPT, "postgresql_where": KEPT}
UNIQUE_AMONG_UNOWNED = {"unique": True, "sqlite_where": UNOWNED, "postgresql_where": UNOWNED}


def upgrade() -> None:
    op.create_table(
        "access_key",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scope", sa.String(10), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(), nullable=True),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_access_key"),
        sa.UniqueConstraint("digest", name="uq_access_key_digest"),
    )
    op.create_table(
        "sign_in",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sign_in"),
        sa.ForeignKeyConstraint(
            ["key_id"], ["access_key.id"], name="fk_sign_in_key_id_access_key", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sign_in_key_id", "sign_in", ["key_id"])
    op.create_table(
        "deletion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("item_id", sa.String(16), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deletion"),
    )
    for table in ("library", "query", "job"):
        op.add_column(table, sa.Column("key_id", sa.String(16), nullable=True))
    op.create_index("ix_query_key_id", "query", ["key_id"])
    op.add_column("library", sa.Column("shared", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.drop_index("uq_library_name_kept", "library")
    op.create_index("uq_library_name_kept", "library", ["key_id", "name"], **UNIQUE_AMONG_KEPT)
    op.create_index("uq_library_name_unowned", "library", ["name"], **UNIQUE_AMONG_UNOWNED)


def downgrade() -> None:
    op.drop_index("uq_library_name_unowned", "library")
    op.drop_index("uq_library_name_kept", "library")
    owned = "SELECT id FROM library WHERE key_id IS NOT NULL AND deleted_at IS NULL"
    others = "SELECT name FROM library WHERE deleted_at IS NULL GROUP BY name HAVING count(*) > 1"
    op.execute(
        f"UPDATE library SET name = substr(name, 1, 180) || ' (' || id || ')' WHERE id IN ({owned}) AND name IN ({others})"
    )
    op.create_index("uq_library_name_kept", "library", ["name"], **UNIQUE_AMONG_KEPT)
    op.drop_index("ix_query_key_id", "query")
    op.drop_column("library", "shared")
    for table in ("library", "query", "job"):
        op.drop_column(table, "key_id")
    for table in ("sign_in", "access_key", "deletion"):
        op.drop_table(table)
