"""Level 2: the portfolio on the markets."""
