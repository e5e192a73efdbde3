"""Visual question answering: questions about a film, and their answers. It writes no report."""
