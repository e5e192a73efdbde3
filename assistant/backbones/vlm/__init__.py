"""Any image-text-to-text model of transformers as a writer. It names no model family."""
