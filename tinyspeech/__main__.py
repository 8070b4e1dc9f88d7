"""The command line: `python -m tinyspeech COMMAND`. Thin: every command is a call into the library.

Bad input of any kind ends in one line on standard error and exit code 2.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from pathlib import Path

from tinyspeech import __version__
from tinyspeech.errors import UserError
from tinyspeech.paths import BUNDLED, CONFIGS, RUNS

ENGINES = ("float", "fake", "int", "c", "chip")


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line."""

    def error(self, message: str):
        raise UserError(f"{self.prog}: {message} (see --help)")


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Defaults behind every flag that has one worth telling."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def build_parser() -> argparse.ArgumentParser:
    """All commands and flags; defaults are shown by --help."""
    parser = Parser(prog="python -m tinyspeech", description="Speech on a ten-cent chip.",
                    formatter_class=Help)
    parser.add_argument("--version", action="version", version=f"tinyspeech {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, text: str, **extra):
        return commands.add_parser(name, help=text, description=text, formatter_class=Help, **extra)

    data = command("data", "what clips are here; rebuild the bundled ones; fetch Speech Commands")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=Parser)
    info = actions.add_parser("info", help="count clips by split and class")
    info.add_argument("folder", nargs="?", default=str(BUNDLED), help="folder in Speech Commands layout")
    info.add_argument("--json", action="store_true", help="print JSON")
    synthesize = actions.add_parser("synthesize", help="make the bundled clips again with offline speech engines")
    synthesize.add_argument("--out", default=str(BUNDLED), help="folder to write")
    download = actions.add_parser("download", help="fetch Speech Commands v0.02 (2.3 GB) from its official address")
    download.add_argument("--out", default="speech_commands_v0.02", help="folder to make")

    train = command("train", "train a network, float first, then at few bits")
    train.add_argument("--config", required=True, help="YAML file, or a name in data/configs")
    train.add_argument("--data", default=str(BUNDLED),
                       help="folder in Speech Commands layout, or the log-mel set (.npz or .tar.gz)")
    train.add_argument("--noise", default=None, metavar="FOLDER",
                       help="recordings of noise to train on, in place of those that come with the data")
    for flag, kind in (("epochs", int), ("qat-epochs", int), ("batch-size", int), ("lr", float), ("momentum", float),
                       ("seed", int)):
        train.add_argument(f"--{flag}", type=kind, default=None, help="instead of the config's")
    train.add_argument("--device", default="auto", help="auto, cpu or cuda")
    train.add_argument("--threads", type=int, default=1, help="of the CPU; with another number sums are taken in "
                       "another order, and the run ends at another network, as with another seed")
    train.add_argument("--save-pth", default=None, metavar="FILE", help="the network's file; by default runs/MODEL.pt")
    train.add_argument("--resume", action="store_true", help="go on from the last epoch's checkpoint")
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.add_argument("--json", action="store_true", help="print JSON at the end")

    evaluate = command("evaluate", "accuracy on recordings, by any engine")
    evaluate.add_argument("--model", default="tinyspeech_s", help="a network in data/models")
    evaluate.add_argument("--engine", default="int", choices=ENGINES, help="who computes")
    evaluate.add_argument("--data", default=str(BUNDLED), help="folder in Speech Commands or test-set layout")
    evaluate.add_argument("--split", default="validation", help="training, validation, testing or all")
    evaluate.add_argument("--limit", type=int, default=None, help="at most so many clips, spread over the classes")
    evaluate.add_argument("--seed", type=int, default=0, help="chooses unknown words, silence and the subset")
    evaluate.add_argument("--dump", default=None, metavar="FILE.npz", help="keep every clip's features and logits")
    evaluate.add_argument("--snr", type=float, default=None, metavar="DB",
                          help="put every word into held-out noise at this signal-to-noise ratio, -100 to 100 dB")
    evaluate.add_argument("--noise", default=None, metavar="FOLDER",
                          help="folder of noise recordings for --snr, if not the data folder's _background_noise_")
    evaluate.add_argument("--mulaw", action="store_true",
                          help="bring every clip to 8-bit mu-law and back first, as the serial port carries it")
    evaluate.add_argument("--confusion", action="store_true", help="print the confusion matrix, too")
    evaluate.add_argument("--rejection", action="store_true",
                          help="print what thresholds on probability and margin reject, and the calibration error")
    evaluate.add_argument("--json", action="store_true", help="print JSON, which holds all of this")

    classify = command("classify", "the word in one recording")
    classify.add_argument("file", help="wav, flac or ogg, any rate and length")
    classify.add_argument("--model", default="tinyspeech_s", help="a network in data/models")
    classify.add_argument("--engine", default="chip", choices=ENGINES, help="who computes")
    classify.add_argument("--json", action="store_true", help="print JSON")

    export = command("export", "trained network -> integers and firmware/model.h")
    export.add_argument("--model", default="tinyspeech_s", help="a network in data/models")
    export.add_argument("--dump", action="store_true",
                        help="write nothing: print every layer of what was exported, its ranges and its worst case")

    firmware = command("firmware", "build the firmware; flash, RAM and stack it needs")
    firmware.add_argument("--model", default="tinyspeech_s", help="a network in data/models")
    firmware.add_argument("--compiler", default="zig", choices=("zig", "gcc", "both"),
                          help="zig's clang, which ships, Debian's gcc-riscv64-unknown-elf, or both side by side")
    firmware.add_argument("--no-xw", action="store_true", help="without WCH's own instructions, as gcc must")
    firmware.add_argument("--json", action="store_true", help="print JSON")

    bench = command("bench", "cycles and bytes of each stage on the emulated chip")
    bench.add_argument("--model", default="tinyspeech_s", help="a network in data/models")
    bench.add_argument("--json", action="store_true", help="print JSON")

    board = command("board", "a virtual board on a pseudo-terminal, until Ctrl-C; prints its port first")
    board.add_argument("--wav", default=None, metavar="FILE",
                       help="a recording as the microphone's signal, from when the chip first listens, and anew when a "
                            "program at the port lets it listen")
    board.add_argument("--gain", type=float, default=None,
                       help="of the recording; by default 1: its full scale fills the ADC's range")
    board.add_argument("--noise", type=float, default=None, metavar="LSB",
                       help="white noise at the ADC beside the recording, in its steps; by default none")
    board.add_argument("--image", default=None, metavar="FILE", help="firmware to start with (.bin or .elf), not ours")
    board.add_argument("--blank", action="store_true", help="start with an empty flash, in the ROM bootloader")
    board.add_argument("--fast", action="store_true", help="not in real time, but as fast as it goes")

    listen = command("listen", "what a board hears, real or virtual: each word as it comes, until Ctrl-C")
    listen.add_argument("--port", required=True, help="serial port: /dev/ttyUSB0, COM3, or what `board` prints")
    listen.add_argument("--wav", "--file", dest="wav", default=None, metavar="FILE",
                        help="send it this recording over the port, in real time, in place of its microphone")
    listen.add_argument("--seconds", type=float, default=None,
                        help="listen no longer, or to no more of the recording")
    listen.add_argument("--json", action="store_true", help="print each word as a line of JSON")

    flash = command("flash", "firmware onto a board, real or virtual; compares every byte")
    way = flash.add_mutually_exclusive_group(required=True)
    way.add_argument("--port", default=None, help="serial port: /dev/ttyUSB0, COM3, or what `board` prints")
    way.add_argument("--link", action="store_true", help="over a WCH-Link (rvprog): the only way to a blank chip")
    flash.add_argument("--image", default=None, metavar="FILE", help="firmware (.bin or .elf) in place of ours")
    flash.add_argument("--json", action="store_true", help="print JSON")
    return parser


def show(result: dict, as_json: bool, text: str) -> None:
    """Print one or the other."""
    print(json.dumps(result, indent=2) if as_json else text)


def run_data(args) -> None:
    from tinyspeech import datasets

    if args.action == "info":
        result = datasets.info(args.folder)
        lines = [f"{result['folder']}: {result['clips']} clips of {result['words']} words, "
                 f"{result['bytes'] / 1e6:.1f} MB",
                 "clips: " + ", ".join(f"{n} {s}" for s, n in result["splits"].items()),
                 "speakers: " + ", ".join(f"{n} {s}" for s, n in result["speakers"].items())]
        show(result, args.json, "\n".join(lines))
    elif args.action == "synthesize":
        from tinyspeech import synthesis

        for engine, row in sorted(synthesis.synthesize(args.out)["compared"].items()):
            print(f"{engine}: {row['same']} clips the same as before, {row['different']} different")
        print(f"wrote {args.out}")
    else:
        print(f"Speech Commands is in {datasets.download(args.out)}")


def run_train(args) -> None:
    import torch

    from tinyspeech import train, training_data

    config_path = Path(args.config)
    if not config_path.exists() and (CONFIGS / config_path.name).exists():
        config_path = CONFIGS / config_path.name
    config = train.load_config(config_path, epochs=args.epochs, qat_epochs=args.qat_epochs, lr=args.lr, seed=args.seed,
                               batch_size=args.batch_size, momentum=args.momentum)
    device = train.pick_device(args.device)
    if args.threads < 1:
        raise UserError(f"--threads must be 1 or more, not {args.threads}")
    torch.set_num_threads(args.threads)
    train.build(config)  # refuses a network that cannot be, before the data is read
    out = Path(args.save_pth) if args.save_pth else RUNS / f"{config.model}.pt"
    data = training_data.load(args.data, args.noise)
    try:
        metrics = train.train(config, data, out, device, args.resume, args.quiet)
    except KeyboardInterrupt:
        if (checkpoint := out.with_suffix(".checkpoint")).exists():
            print(f"{checkpoint} holds the last whole epoch: --resume goes on from there", file=sys.stderr)
        raise
    del metrics["history"]
    show({"file": str(out), **metrics}, args.json,
         f"{out}: validation {metrics['accuracy']:.2f} % (float {metrics['float_accuracy']:.2f} %)")


def run_evaluate(args) -> None:
    from tinyspeech import metrics
    from tinyspeech.evaluate import evaluate

    result = evaluate(args.model, args.engine, args.data, args.split, args.limit, args.seed, args.dump,
                      progress=sys.stderr.isatty(), snr_db=args.snr, noise=args.noise, mulaw=args.mulaw)
    noise = "" if result["snr_db"] is None else f", words in noise at {result['snr_db']:g} dB"
    noise += ", through 8-bit mu-law" if args.mulaw else ""
    lines = [f"{result['model']} on {result['engine']}: {100 * result['accuracy']:.2f} % of {result['n']} clips{noise}"]
    lines += [f"  {name:10} {'no clips' if recall is None else f'{100 * recall:6.2f} %'}"
              for name, recall in result["per_class"].items()]
    if "cycles_per_clip" in result:
        cycles = result["cycles_per_clip"]
        lines.append(f"cycles per clip: {cycles['mean']:,.0f} mean, {cycles['max']:,} most")
    if args.confusion:
        lines += ["", "rows: what was said; columns: what was heard",
                  metrics.confusion_table(result["confusion"], result["classes"])]
    if args.rejection:
        calibration = result["calibration"]
        lines += ["", "threshold on the winner's probability", metrics.rejection_table(result["rejection"]),
                  "", "threshold on its margin, in units of the integer logits",
                  metrics.rejection_table(result["rejection_by_margin"]), "",
                  f"calibration error {100 * calibration['ece']:.2f} % ({calibration['bins']} bins)"]
    show(result, args.json, "\n".join(lines))


def run_classify(args) -> None:
    from tinyspeech.evaluate import classify

    result = classify(args.file, args.engine, args.model)
    best = sorted(result["scores"].items(), key=lambda item: -item[1])[:3]
    lines = [result["word"], "  " + "   ".join(f"{word} {100 * score:.1f} %" for word, score in best)]
    if result["cycles"] is not None:
        lines.append(f"  {result['cycles']:,} cycles on the chip")
    show(result, args.json, "\n".join(lines))


def run_export(args) -> None:
    from tinyspeech import export

    if args.dump:
        from tinyspeech.integer import IntegerModel
        from tinyspeech.paths import model_file

        print(export.dump(IntegerModel.load(model_file(args.model, ".npz"))))
        return
    integer = export.export(args.model)
    print(f"firmware/model.h and data/models/{args.model}.npz: {integer.parameters} weights, hash {integer.digest}")


def run_firmware(args) -> None:
    from tinyspeech.chip import report_firmware
    from tinyspeech.export import firmware_folder
    from tinyspeech.integer import IntegerModel
    from tinyspeech.paths import model_file
    from tinyspeech.toolchain import COMPILERS

    folder = firmware_folder(IntegerModel.load(model_file(args.model, ".npz")))
    names = COMPILERS if args.compiler == "both" else (args.compiler,)
    reports = {name: report_firmware(folder, name, False if args.no_xw else None) for name in names}
    result = reports[names[0]]
    if len(names) > 1:
        show({**result, "compilers": reports}, args.json, compiler_table(reports))
        return
    ram = result["data_bytes"] + result["bss_bytes"] + result["stack_bytes"]
    lines = [f"flash  {result['flash_bytes']:6,} of 16,384 bytes",
             f"RAM    {ram:6,} of  2,048 bytes: .data {result['data_bytes']}, .bss {result['bss_bytes']}, "
             f"deepest stack {result['stack_bytes']}"]
    lines += [f"  {size:6,}  {name}" for name, size in sorted(result["symbols"].items(), key=lambda i: -i[1])]
    show(result, args.json, "\n".join(lines))


def compiler_table(reports: dict[str, dict]) -> str:
    """What each compiler makes of the firmware, a column each; then its functions and tables, the largest first."""
    rows = [(text, [report[key] for report in reports.values()]) for text, key in (
        ("bytes of flash, of 16,384", "flash_bytes"), ("bytes of .data", "data_bytes"), ("bytes of .bss", "bss_bytes"),
        ("bytes of deepest stack", "stack_bytes"), ("cycles per second of audio", "cycles_per_audio_second"))]
    names = {name for report in reports.values() for name in report["symbols"]}
    sizes = {name: [report["symbols"].get(name) for report in reports.values()] for name in names}
    rows += sorted(sizes.items(), key=lambda row: (-max(size or 0 for size in row[1]), row[0]))
    lines = [f"{'':32}" + "".join(f"{name:>12}" for name in reports)]
    return "\n".join(lines + [f"{text:32}" + "".join(f"{'-' if n is None else f'{n:,}':>12}" for n in row)
                              for text, row in rows])


def run_bench(args) -> None:
    from tinyspeech.bench import bench

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


def run_board(args) -> None:
    from tinyspeech.chip import board

    if args.blank and args.image:
        raise UserError("--blank and --image exclude each other")
    if not args.wav and (args.gain, args.noise) != (None, None):
        raise UserError("--gain and --noise are of a recording: give --wav, too")
    volts = board.microphone(args.wav, 1 if args.gain is None else args.gain, args.noise or 0) if args.wav else None
    image = None if args.blank else board.load_image(args.image) if args.image else board.shipped_image()
    virtual = board.VirtualBoard(image, timed=not args.fast)
    board.serve(virtual, lambda line: print(line, flush=True), volts)


def run_listen(args) -> None:
    from tinyspeech.chip import monitor

    def heard(word: monitor.Heard) -> None:
        line = {"word": word.word, "seconds": round(word.seconds, 2), "frame": word.frame}
        print(json.dumps(line) if args.json else f"{word.seconds:8.2f} s  {word.word}", flush=True)

    def notice(text: str) -> None:
        print(f"warning: {text}", file=sys.stderr, flush=True)

    monitor.listen_port(args.port, heard, notice, args.wav, args.seconds)


def run_flash(args) -> None:
    from tinyspeech.chip import board, isp

    image = board.load_image(args.image) if args.image else board.shipped_image()
    if args.link:
        result = isp.flash_link(image)
        show(result, args.json, f"{result['bytes']:,} bytes flashed and verified over the WCH-Link\n{isp.UNPLUG_ONCE}")
        return
    result = isp.flash_port(args.port, image, progress=sys.stderr.isatty())
    lines = [f"{result['bytes']:,} bytes flashed and verified: {result['variant']}, "
             f"ROM bootloader {result['bootloader']}"]
    lines.append(f"it runs: {result['answer']}" if result["answer"] else "it runs" if result["started"] else
                 "whether it runs the ROM bootloader did not say; it starts the program after a minute, or a reset")
    show(result, args.json, "\n".join(lines))


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for bad input, 130 for Ctrl-C."""
    try:
        args = build_parser().parse_args(argv)
        globals()[f"run_{args.command}"](args)
        sys.stdout.flush()
        return 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        print(f"error: the package {error.name} is missing: pip install -r requirements.txt", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise  # not of our output: a library that does not load, say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails once more
        if error.errno == errno.EPIPE:  # its reader went away
            return 0
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
