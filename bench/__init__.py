"""What the README's figures come from: seacall beside a plain pipeline, in one run."""
