"""Teach a finished model new species from a few clips."""
