"""The emulated CH32V003: core and peripherals in C under `core/`, and programs that run on it (chapters 9 and 13).

In C the board is there as well, for web pages and `tinyspeech/board`: the chip with its ROM bootloader, serial line and
microphone on one clock. Python's side here knows nothing of it, of our serial protocol, or of torch.
"""
