"""`bench`: what each stage costs on the emulated chip, next to other ways of a dense layer."""

from __future__ import annotations

from tinyspeech.commands._common import add_command, add_json, add_model, show


def add(commands) -> None:
    command = add_command(commands, "bench", "cycles and bytes of each stage on the emulated chip")
    add_model(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.measure.stages import bench  # here: it loads numpy

    result = bench(args.model, race=True)
    lines = [f"{result['cycles_per_audio_second'] / 1e6:.2f} M cycles per second of audio, "
             f"({result['front_end_cycles'] / 1e6:.2f} M in the front end), "
             f"{100 * result['cycles_per_audio_second'] / result['clock_hz']:.1f} % "
             f"of {result['clock_hz'] / 1e6:.0f} MHz"]
    lines += [f"  {cycles:12,}  {name}" + (f" ({code} B)" if (code := result["stage_bytes"].get(name)) else "")
              for name, cycles in result["stages"].items()]
    if power := result["power"]:
        hours = ", ".join(f"{hours:,.0f} h of {name}" for name, hours in power["battery_hours"].items())
        lines += [f"estimated from the datasheet's currents: {power['milliamps']:.2f} mA, {power['milliwatts']:.1f} mW "
                  f"at 3.3 V; at most {hours}", f"  without {power['not_included']}"]
    lines.append("a dense layer on the chip            24 MHz  48 MHz    SRAM at either  code  RAM   (cycles/MAC, B)")
    for name, row in result["kernels"].items():
        cells = (row.get(f"cycles_per_mac{at}") for at in ("", "_48_mhz", "_sram", "_sram_48_mhz"))
        cells = "".join(f"{'-' if cell is None else f'{cell:.2f}':>8}" for cell in cells)
        lines.append(f"  {name:32} {cells}  {row['bytes']:5} {row.get('ram_bytes', '-'):>4}")
    show(result, args.json, "\n".join(lines))
