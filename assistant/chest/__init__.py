"""All that knows chest anatomy: the vocabulary of findings and the phantoms."""
