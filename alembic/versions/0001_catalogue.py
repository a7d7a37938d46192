"""Create the catalogue: libraries, instruments, clips, jobs and queries.

Revision 0001, the first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "library",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("encoder_hash", sa.String(80), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_library"),
        sa.UniqueConstraint("name", name="uq_library_name"),
    )
    op.create_table(
        "instrument",
        sa.Column("vector_id", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("library_id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("family", sa.String(20), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("num_clips", sa.Integer(), nullable=False),
        sa.Column("encoder_hash", sa.String(80), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("vector_id", name="pk_instrument"),
        sa.ForeignKeyConstraint(
            ["library_id"], ["library.id"], name="fk_instrument_library_id_library", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("id", name="uq_instrument_id"),
        sa.UniqueConstraint("library_id", "name", name="uq_instrument_library_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_instrument_library_id_family", "instrument", ["library_id", "family"])
    op.create_table(
        "clip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("vector_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_clip"),
        sa.ForeignKeyConstraint(
            ["vector_id"], ["instrument.vector_id"], name="fk_clip_vector_id_instrument", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("vector_id", "position", name="uq_clip_vector_id_position"),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("library_id", sa.String(16), nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.ForeignKeyConstraint(
            ["library_id"], ["library.id"], name="fk_job_library_id_library", ondelete="SET NULL"
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_job_state")
        ),
    )
    op.create_index("ix_job_library_id", "job", ["library_id"])
    op.create_table(
        "query",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("library_id", sa.String(16), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("audio", sa.String(80), nullable=True),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_query"),
        sa.ForeignKeyConstraint(
            ["library_id"], ["library.id"], name="fk_query_library_id_library", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_query_library_id", "query", ["library_id"])
    op.create_index("ix_query_created_at", "query", ["created_at"])


def downgrade() -> None:
    for table in ("query", "job", "clip", "instrument", "library"):
        op.drop_table(table)
