"""`export`: what the firmware is built from. A trained network's integers, and the front end's tables."""

from __future__ import annotations

from tinyspeech import paths
from tinyspeech.commands._common import add_command, add_model, write


def add(commands) -> None:
    command = add_command(commands, "export", "trained network -> integers and firmware/model.h")
    add_model(command)
    other = command.add_mutually_exclusive_group()
    other.add_argument("--dump", action="store_true",
                       help="write nothing: print every layer of what was exported, its ranges and its worst case")
    other.add_argument("--tables", action="store_true",
                       help="write firmware/frontend_tables.h in place of a network: it is the same for all")
    command.set_defaults(run=run)


def run(args) -> None:
    if args.tables:
        write_tables()
        return
    from tinyspeech import export  # here, as all below: they load numpy and torch
    from tinyspeech.integer import IntegerModel

    if args.dump:
        print(export.dump(IntegerModel.load(paths.model_file(args.model, ".npz"))))
        return
    integer = export.export(args.model)
    print(f"firmware/model.h and data/models/{args.model}.npz: {integer.parameters} weights, hash {integer.digest}")


def write_tables() -> None:
    from tinyspeech import frontend  # here: it loads numpy

    write(paths.FIRMWARE / "frontend_tables.h", frontend.c_header())
    print("firmware/frontend_tables.h")
