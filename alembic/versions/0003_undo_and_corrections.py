"""Let deleted rows be restored, free their names meanwhile, and mark corrections of names and families.

Revision 0003, after 0002. A downgrade deletes for good the rows that could still be restored.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEPT = sa.text("deleted_at IS NULL")
UNIQUE_AMONG_KEPT = {"unique": True, "sqlite_where": KEPT, "postgresql_where": KEPT}
AUTOINCREMENT = {"sqlite_autoincrement": True}


def upgrade() -> None:
    with op.batch_alter_table("library") as batch:
        batch.add_column(sa.Column("deleted_at", sa.DateTime(), nullable=True))
        batch.drop_constraint("uq_library_name", type_="unique")
    op.create_index("uq_library_name_kept", "library", ["name"], **UNIQUE_AMONG_KEPT)
    last = _last_vector_id()
    with op.batch_alter_table("instrument", table_kwargs=AUTOINCREMENT) as batch:
        batch.add_column(sa.Column("deleted_at", sa.DateTime(), nullable=True))
        batch.add_column(sa.Column("source_name", sa.String(300), nullable=True))
        for name in ("name_corrected", "family_corrected"):
            batch.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.drop_constraint("uq_instrument_library_id_name", type_="unique")
    _restore_last_vector_id(last)
    columns = ["library_id", "name"]
    op.create_index("uq_instrument_name_kept", "instrument", columns, **UNIQUE_AMONG_KEPT)
    op.execute("UPDATE instrument SET source_name = name")


def downgrade() -> None:
    gone = "deleted_at IS NOT NULL OR library_id IN (SELECT id FROM library WHERE deleted_at IS NOT NULL)"
    op.execute(f"DELETE FROM clip WHERE vector_id IN (SELECT vector_id FROM instrument WHERE {gone})")
    op.execute(f"DELETE FROM instrument WHERE {gone}")
    for table in ("job", "query"):
        deleted = "SELECT id FROM library WHERE deleted_at IS NOT NULL"
        op.execute(f"UPDATE {table} SET library_id = NULL WHERE library_id IN ({deleted})")
    op.execute("DELETE FROM library WHERE deleted_at IS NOT NULL")
    last = _last_vector_id()
    op.drop_index("uq_instrument_name_kept", "instrument")
    with op.batch_alter_table("instrument", table_kwargs=AUTOINCREMENT) as batch:
        for name in ("deleted_at", "source_name", "name_corrected", "family_corrected"):
            batch.drop_column(name)
        batch.create_unique_constraint("uq_instrument_library_id_name", ["library_id", "name"])
    _restore_last_vector_id(last)
    op.drop_index("uq_library_name_kept", "library")
    with op.batch_alter_table("library") as batch:
        batch.drop_column("deleted_at")
        batch.create_unique_constraint("uq_library_name", ["name"])


def _last_vector_id() -> int | None:
    """Return the last id used; None in PostgreSQL, which alters a table without copying it."""
    if op.get_bind().dialect.name == "postgresql":
        return None
    found = op.get_bind().execute(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'instrument'"))
    return found.scalar() or 0


def _restore_last_vector_id(last: int | None) -> None:
    """Restore the last id used: a copied table counts only the rows it has, and ids of deleted rows must stay unused."""
    if last is None:
        return
    execute = op.get_bind().execute
    execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'instrument'"))
    execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('instrument', :last)"), {"last": last})
