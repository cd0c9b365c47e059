"""Serve what was heard to a browser: a live page, a list, a player, a review."""
