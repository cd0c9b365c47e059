"""Judge detections: who said what, what to look at next, what a model is worth."""
