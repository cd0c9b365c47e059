"""From an audio file to what a network sees: one front end, in stages."""
