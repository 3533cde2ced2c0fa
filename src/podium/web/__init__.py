"""The web app: pages over the service, on the same server."""
