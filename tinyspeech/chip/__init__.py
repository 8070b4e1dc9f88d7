"""The emulated CH32V003 and the board around it (chapter 11)."""

from tinyspeech.chip.emulator import Board, Chip, ChipFault, ChipResult, classify_many, report_firmware

__all__ = ["Board", "Chip", "ChipFault", "ChipResult", "classify_many", "report_firmware"]
