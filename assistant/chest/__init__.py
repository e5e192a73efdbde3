"""Everything that depends on chest anatomy: the vocabulary of findings and the phantoms."""
