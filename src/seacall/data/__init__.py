"""From labelled recordings to batches: tables, splits, cache."""
