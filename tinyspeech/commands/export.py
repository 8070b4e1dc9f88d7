"""`export`: what the firmware is built from. A trained network's integers, and the front end's tables."""

from __future__ import annotations

from tinyspeech import paths
from tinyspeech.commands._common import add_command, add_model, write
from tinyspeech.errors import UserError


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
    from tinyspeech.integer.header import dump  # here, as all below: they load numpy and torch
    from tinyspeech.integer.network import IntegerModel

    if args.dump:
        print(dump(IntegerModel.load(paths.model_file(args.model, ".npz"))))
        return
    integer = write_network(args.model)
    print(f"firmware/model.h and data/models/{args.model}.npz: {integer.parameters} weights, hash {integer.digest}")


def write_network(name: str):
    """Checkpoint data/models/NAME.pt -> data/models/NAME.npz, firmware/model.h and sigmoid.h; returns the integers."""
    from tinyspeech.integer.header import c_header, sigmoid_header
    from tinyspeech.lowbit.lower import lowered  # here: they load torch

    integer = lowered(name)
    header = c_header(integer)  # refuses before anything is written
    try:
        integer.save(paths.MODELS / f"{name}.npz")
    except OSError as error:
        raise UserError(f"cannot write {error.filename}: {error.strerror}") from error
    write(paths.FIRMWARE / "model.h", header)
    write(paths.FIRMWARE / "sigmoid.h", sigmoid_header())
    return integer


def write_tables() -> None:
    from tinyspeech.integer import tables  # here: it loads numpy

    write(paths.FIRMWARE / "frontend_tables.h", tables.c_header())
    print("firmware/frontend_tables.h")
