"""Take a model elsewhere: graphs, proofs that they answer alike, smaller networks."""
