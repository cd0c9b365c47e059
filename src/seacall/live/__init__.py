"""Listen to sound as it comes: sources, growing detections, a journal, health."""
