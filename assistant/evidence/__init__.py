"""Evidence for and against each sentence, and its risk of being false. It knows no model."""
