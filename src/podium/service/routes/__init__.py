"""The routes of the API: each parses, calls, and answers."""

API = "/api/v1"
