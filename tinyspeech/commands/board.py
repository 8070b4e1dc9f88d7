"""`board`: a virtual board that other programs take for a real one."""

from __future__ import annotations

from tinyspeech.commands._common import add_command
from tinyspeech.errors import UserError


def add(commands) -> None:
    command = add_command(commands, "board",
                          "a virtual board on a pseudo-terminal, until Ctrl-C; prints its port first")
    command.add_argument("--wav", default=None, metavar="FILE",
                         help="a recording as the microphone's signal, from when the chip first listens, and anew when "
                              "a program at the port lets it listen")
    command.add_argument("--gain", type=float, default=None,
                         help="of the recording; by default 1: its full scale fills the ADC's range")
    command.add_argument("--noise", type=float, default=None, metavar="LSB",
                         help="white noise at the ADC beside the recording, in its steps; by default none")
    firmware = command.add_mutually_exclusive_group()
    firmware.add_argument("--image", default=None, metavar="FILE",
                          help="firmware to start with (.bin or .elf), not ours")
    firmware.add_argument("--model", default=None, help="our firmware with this network of data/models; by default the "
                          "one in firmware/model.h")
    command.add_argument("--baud", type=int, default=115_200,
                         help="of the other side of its serial port, 300 to 3000000; a firmware of others may want it")
    command.add_argument("--assume", default="", metavar="WHAT",
                         help="what the chip is like where no manual says it: hostile, or NAME=VALUE,... of what "
                              "`probe --table` prints")
    command.add_argument("--blank", action="store_true", help="start with an empty flash, in the ROM bootloader")
    command.add_argument("--fast", action="store_true", help="not in real time, but as fast as it goes")
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import microphone  # here, as those below: they load numpy
    from tinyspeech.board.virtual import VirtualBoard, load_image, our_image, serve
    from tinyspeech.chip.assumptions import parse

    if args.blank and (args.image is not None or args.model is not None):
        raise UserError(f"--blank and {'--model' if args.image is None else '--image'} exclude each other")
    if args.wav is None and (args.gain, args.noise) != (None, None):
        raise UserError("--gain and --noise are of a recording: give --wav, too")
    if not 300 <= args.baud <= 3_000_000:
        raise UserError(f"--baud must be 300 to 3000000, not {args.baud}")
    assumed = parse(args.assume) if args.assume else None
    volts = image = None
    if args.wav is not None:
        volts = microphone.microphone(args.wav, 1 if args.gain is None else args.gain, args.noise or 0)
    if not args.blank:
        image = our_image(args.model) if args.image is None else load_image(args.image)
    virtual = VirtualBoard(image, timed=not args.fast, assuming=assumed, baud=args.baud)
    serve(virtual, lambda line: print(line, flush=True), volts)
