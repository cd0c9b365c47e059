"""The networks, and how they are kept on disk and run."""
