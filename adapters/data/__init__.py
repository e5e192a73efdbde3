"""What is learnt from: cases, phantoms as arrays, and the tasks made of them. It trains nothing."""
