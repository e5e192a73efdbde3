"""What sees, writes and paints: three small protocols and the models that keep them."""
