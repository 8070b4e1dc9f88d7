"""Compilers, and what lies in the programs that they build (chapter 13).

`toolchain.build_firmware()` and all others below are the room's own; which file each is in, the imports say.
"""

from tinyspeech.toolchain.compile import (
    FIRMWARE_SOURCES,
    RV32EC,
    XW,
    Firmware,
    assemble,
    build_firmware,
    build_host_library,
    build_wasm,
    compiler_version,
    firmware_with,
    has_gcc,
    zig,
)
from tinyspeech.toolchain.elf import (
    FLASH_ALIAS,
    SRAM_BASE,
    ShortAccess,
    decoder,
    flat_image,
    forbidden_instructions,
    function_addresses,
    function_files,
    line_addresses,
    ram_objects,
    sizes,
    symbol_addresses,
)

__all__ = [
    "FIRMWARE_SOURCES", "FLASH_ALIAS", "RV32EC", "SRAM_BASE", "XW", "Firmware", "ShortAccess", "assemble",
    "build_firmware", "build_host_library", "build_wasm", "compiler_version", "decoder", "firmware_with", "flat_image",
    "forbidden_instructions", "function_addresses", "function_files", "has_gcc", "line_addresses", "ram_objects",
    "sizes", "symbol_addresses", "zig",
]
