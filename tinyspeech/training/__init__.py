"""Learning: float features, augmentation, batches, the loop (chapters 2 and 4)."""
