"""Any image-text-to-text model of transformers as a writer. It knows no family by name."""
