"""Train, distil, evaluate, report. Needs the extra ``train``."""
