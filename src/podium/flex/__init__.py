"""Solvers for the canonical form: an exact dynamic programme, and linear and mixed-integer programmes."""
