"""Let queries know their track: all that were asked about one upload, with other ranges, libraries or filters.

Revision 0013, after 0012. Queries of before find it through the queries whose audio they asked about again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEX = "ix_query_track_id"


def upgrade() -> None:
    op.add_column("query", sa.Column("track_id", sa.String(16), nullable=True))
    op.create_index(INDEX, "query", ["track_id"])
    query = sa.table(
        "query",
        *(sa.column(name, sa.String()) for name in ("id", "track_id")),
        sa.column("result", sa.JSON()),
    )
    bind = op.get_bind()
    asked = dict(bind.execute(sa.select(query.c.id, query.c.result["asked_again"].as_string())).all())
    for query_id in asked:
        track, seen = query_id, {query_id}
        while (earlier := asked.get(track)) and earlier not in seen:
            track = earlier
            seen.add(track)
        bind.execute(query.update().where(query.c.id == query_id).values(track_id=track[:16]))


def downgrade() -> None:
    op.drop_index(INDEX, "query")
    op.drop_column("query", "track_id")
