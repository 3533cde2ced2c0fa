"""Pages of accounts: signing in and out, one's profile, and the users of an admin."""

from podium.web.accounts import admin, entrance, profile

__all__ = ["admin", "entrance", "profile"]
