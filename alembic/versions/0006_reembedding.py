"""Let a library be embedded again by another encoder: where its sources are, and embeddings by other encoders.

Revision 0006, after 0005. Where the sources of instruments enrolled before are is not known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    zero, enroll = sa.text("0"), sa.text("'enroll'")
    op.add_column("library", sa.Column("vectors_revision", sa.Integer(), nullable=False, server_default=zero))
    op.add_column("instrument", sa.Column("source_path", sa.Text(), nullable=True))
    op.add_column("instrument", sa.Column("source_key", sa.String(200), nullable=True))
    op.add_column(
        "instrument", sa.Column("from_preview", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("job", sa.Column("kind", sa.String(10), nullable=False, server_default=enroll))
    op.add_column("job", sa.Column("skipped", sa.JSON(), nullable=True))
    op.create_table(
        "other_embedding",
        sa.Column("vector_id", sa.Integer(), nullable=False),
        sa.Column("encoder_hash", sa.String(80), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("clips", sa.LargeBinary(), nullable=False),
        sa.Column("from_preview", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("vector_id", "encoder_hash", name="pk_other_embedding"),
        sa.ForeignKeyConstraint(
            ["vector_id"],
            ["instrument.vector_id"],
            name="fk_other_embedding_vector_id_instrument",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("other_embedding")
    for table, column in (
        ("job", "skipped"),
        ("job", "kind"),
        ("instrument", "from_preview"),
        ("instrument", "source_key"),
        ("instrument", "source_path"),
        ("library", "vectors_revision"),
    ):
        op.drop_column(table, column)
