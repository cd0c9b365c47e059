"""The one inference path: recordings in, scores out. Needs no torch."""
