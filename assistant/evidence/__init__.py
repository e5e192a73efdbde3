"""What speaks for each sentence, and how likely it is false. It knows no model."""
