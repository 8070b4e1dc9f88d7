"""A board with our firmware, real or virtual, and whatever speaks with it (chapters 13 and 14)."""
