"""The definition, in integers: front end, network, decision, listening, and their form in C. numpy only.

Whatever the firmware computes is computed here first, and must come out the same, bit for bit (chapters 7 to 10).
"""
