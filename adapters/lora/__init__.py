"""LoRA adapters on a frozen base: examples, training, the adapter folder. It changes no base."""
