"""The networks in float: condensers, the paper's family, the streaming networks that ship (chapters 3 and 4)."""
