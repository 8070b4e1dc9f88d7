"""The emulated CH32V003: core and peripherals in C under `core/`, and programs that run on it (chapters 9 and 13).

It knows nothing of the board around it, of its serial protocol, or of torch.
"""
