"""`firmware`: build it, and tell what it needs of the chip."""

from __future__ import annotations

from tinyspeech import COMPILERS
from tinyspeech.commands._common import add_command, add_json, add_model, show
from tinyspeech.paths import model_file


def add(commands) -> None:
    command = add_command(commands, "firmware", "build the firmware; flash, RAM and stack it needs")
    add_model(command)
    command.add_argument("--compiler", default=COMPILERS[0], choices=(*COMPILERS, "both"),
                         help="zig's clang, which ships, Debian's gcc-riscv64-unknown-elf, or both side by side")
    command.add_argument("--no-xw", action="store_true", help="without WCH's own instructions, as gcc must")
    add_json(command)
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board.direct import report_firmware  # here, as those below: they load numpy
    from tinyspeech.chip.emulator import FLASH_BYTES, SRAM_BYTES
    from tinyspeech.chip.firmware import firmware_folder
    from tinyspeech.integer.network import IntegerModel

    folder = firmware_folder(IntegerModel.load(model_file(args.model, ".npz")))
    names = COMPILERS if args.compiler == "both" else (args.compiler,)
    reports = {name: report_firmware(folder, name, False if args.no_xw else None) for name in names}
    result = reports[names[0]]
    if len(names) > 1:
        show({**result, "compilers": reports}, args.json, compiler_table(reports, FLASH_BYTES))
        return
    ram = result["data_bytes"] + result["bss_bytes"] + result["stack_bytes"]
    lines = [f"flash  {result['flash_bytes']:6,} of {FLASH_BYTES:,} bytes",
             f"RAM    {ram:6,} of {SRAM_BYTES:6,} bytes: .data {result['data_bytes']}, .bss {result['bss_bytes']}, "
             f"deepest stack {result['stack_bytes']}"]
    lines += [f"sha256 {result['sha256']}"]
    lines += [f"  {size:6,}  {name}" for name, size in sorted(result["symbols"].items(), key=lambda i: -i[1])]
    show(result, args.json, "\n".join(lines))


def compiler_table(reports: dict[str, dict], flash_bytes: int) -> str:
    """What each compiler makes of the firmware, a column each; then its functions and tables, the largest first."""
    rows = [(text, [report[key] for report in reports.values()]) for text, key in (
        (f"bytes of flash, of {flash_bytes:,}", "flash_bytes"), ("bytes of .data", "data_bytes"),
        ("bytes of .bss", "bss_bytes"), ("bytes of deepest stack", "stack_bytes"),
        ("cycles per second of audio", "cycles_per_audio_second"))]
    names = {name for report in reports.values() for name in report["symbols"]}
    sizes = {name: [report["symbols"].get(name) for report in reports.values()] for name in names}
    rows += sorted(sizes.items(), key=lambda row: (-max(size or 0 for size in row[1]), row[0]))
    lines = [f"{'':32}" + "".join(f"{name:>12}" for name in reports)]
    return "\n".join(lines + [f"{text:32}" + "".join(f"{'-' if n is None else f'{n:,}':>12}" for n in row)
                              for text, row in rows])
