"""`flash`: firmware onto a board."""

from __future__ import annotations

import sys

from tinyspeech.commands._common import add_command, add_json, add_port, show


def add(commands) -> None:
    command = add_command(commands, "flash", "firmware onto a board, real or virtual; compares every byte")
    way = command.add_mutually_exclusive_group(required=True)
    add_port(way)
    way.add_argument("--link", action="store_true", help="over a WCH-Link (rvprog): the only way to a blank chip")
    firmware = command.add_mutually_exclusive_group()
    firmware.add_argument("--image", default=None, metavar="FILE", help="firmware (.bin or .elf) in place of ours")
    firmware.add_argument("--model", default=None, help="our firmware with this network of data/models; by default the "
                          "one in firmware/model.h")
    add_json(command)
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import isp, taught, virtual  # here: they load numpy

    image = virtual.our_image(args.model) if args.image is None else virtual.load_image(args.image)
    if args.link:
        result = isp.flash_link(image)
        show(result, args.json, f"{result['bytes']:,} bytes flashed and verified over the WCH-Link\n{isp.UNPLUG_ONCE}")
        return
    result = taught.flash_port(args.port, image, progress=sys.stderr.isatty())
    lines = [f"{result['bytes']:,} bytes flashed and verified: {result['variant']}, "
             f"ROM bootloader {result['bootloader']}"]
    lines.append(f"it runs: {result['answer']}" if result["answer"] else "it runs" if result["started"] else
                 "whether it runs the ROM bootloader did not say; it starts the program after a minute, or a reset")
    if result["words"]:
        lines.append(f"its taught words are on it again, {result['words']}")
    if result["file"]:
        lines.append(f"its taught words are not on it, since they are another network's, but in {result['file']}")
    show(result, args.json, "\n".join(lines))
