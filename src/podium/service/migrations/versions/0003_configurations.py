"""Saved configurations."""

import sqlalchemy as sa
from alembic import op

revision = "0003_configurations"
down_revision = "0002_confirmation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of configurations."""
    op.create_table(
        "configuration",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("composition", sa.JSON(), nullable=False),
        sa.Column("profiles", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_configuration_owner_id", "configuration", ["owner_id"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_configuration_owner_id", table_name="configuration")
    op.drop_table("configuration")
