"""Level 1: every POD alone."""

from podium.local.batch import Failure, LocalResult, Response, optimise_local, respond

__all__ = ["Failure", "LocalResult", "Response", "optimise_local", "respond"]
