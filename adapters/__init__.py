"""Training: recipes, data, the backbone from scratch, LoRA adapters, calibration."""
