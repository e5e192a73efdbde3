"""Training data: cases, phantoms as arrays, and the examples of each task. It trains nothing."""
