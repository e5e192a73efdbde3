"""The gate's view network: its films and its training. It knows no finding."""
