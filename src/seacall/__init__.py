"""Train, distil, check and run small classifiers of marine mammal sounds."""
