"""Speech on a ten-cent chip: from one second of speech to a CH32V003, bit for bit.

Importing this package is cheap: torch is loaded only by the modules that train.
"""

__version__ = "0.1.0"

CLASSES = ("_silence_", "_unknown_", "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""The twelve classes, in the order of the official Speech Commands task (Warden 2018)."""

KEYWORDS = CLASSES[2:]
"""The ten words to be recognised."""

ENGINES = ("float", "fake", "int", "c", "chip")
"""Who can compute the answer: the float network, the quantised one in torch, the definition in integers, the firmware's
C on this computer, the firmware on the emulated chip."""

COMPILERS = ("zig", "gcc")
"""Who can build the firmware: zig's clang, whose build ships, and Debian's gcc, for comparison."""

__all__ = ["CLASSES", "COMPILERS", "ENGINES", "KEYWORDS", "__version__"]
