"""Find more like this: an index of what clips sound like to a model."""
