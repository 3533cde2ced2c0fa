"""The web service: users, studies and runs over the engine (docs/service.md). Needs the extra `service`."""
