"""LoRA adapters on a frozen base: data, training, the adapter folder. The base stays as it is."""
