"""Keep what is measured of each instrument: how bright it is, how it begins, and how long it lasts.

Revision 0016, after 0015. Instruments of before are measured from their previews while the service runs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sound_descriptors",
        sa.Column("vector_id", sa.Integer(), nullable=False),
        sa.Column("brightness", sa.Double(), nullable=True),
        sa.Column("attack", sa.Double(), nullable=True),
        sa.Column("length", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("vector_id", name=op.f("pk_sound_descriptors")),
        sa.ForeignKeyConstraint(
            ["vector_id"],
            ["instrument.vector_id"],
            name=op.f("fk_sound_descriptors_vector_id_instrument"),
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("sound_descriptors")
