"""Few bits and fewer weights: quantisation-aware layers, pruning, lowering to integers, files (chapters 5 to 7)."""
