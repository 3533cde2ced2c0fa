"""Registrations that wait for the confirmation of their address."""

import sqlalchemy as sa
from alembic import op

revision = "0002_confirmation"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "registration",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=300), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_registration_email", "registration", ["email"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_registration_email", table_name="registration")
    op.drop_table("registration")
