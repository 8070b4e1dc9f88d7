"""`export`: what the firmware is built from. A trained network's integers, and the front end's tables."""

from __future__ import annotations

from pathlib import Path

from tinyspeech import paths
from tinyspeech.commands._common import add_command, add_model, add_out, out_folder, write
from tinyspeech.errors import UserError


def add(commands) -> None:
    command = add_command(commands, "export", "trained network -> integers and firmware/model.h")
    add_model(command)
    other = command.add_mutually_exclusive_group()
    other.add_argument("--dump", action="store_true",
                       help="write nothing: print every layer of what was exported, its ranges and its worst case")
    other.add_argument("--tables", action="store_true",
                       help="write firmware/frontend_tables.h in place of a network: it is the same for all")
    add_out(command, "integers and headers", "firmware/ and data/models/")
    command.set_defaults(run=run)


def run(args) -> None:
    if args.tables:
        write_tables(args.out)
        return
    from tinyspeech.integer.header import dump  # here, as all below: they load numpy and torch
    from tinyspeech.integer.network import IntegerModel

    if args.dump:
        print(dump(IntegerModel.load(paths.model_file(args.model, ".npz"))))
        return
    integer = write_network(args.model, args.out)
    header, integers = (("firmware/model.h", f"data/models/{args.model}.npz") if args.out is None else
                        (args.out / "model.h", args.out / f"{args.model}.npz"))
    print(f"{header} and {integers}: {integer.parameters} weights, hash {integer.digest}")


def write_network(name: str, out: Path | None = None):
    """Checkpoint data/models/NAME.pt -> data/models/NAME.npz, firmware/model.h and sigmoid.h, or all three into one
    folder; returns the integers."""
    models, firmware = out_folder(out, paths.MODELS), out_folder(out, paths.FIRMWARE)
    from tinyspeech.integer.header import c_header, sigmoid_header
    from tinyspeech.lowbit.lower import lowered  # here: they load torch

    integer = lowered(name)
    header = c_header(integer)  # refuses before anything is written
    try:
        integer.save(models / f"{name}.npz")
    except OSError as error:
        raise UserError(f"cannot write {error.filename}: {error.strerror}") from error
    write(firmware / "model.h", header)
    write(firmware / "sigmoid.h", sigmoid_header())
    return integer


def write_tables(out: Path | None = None) -> None:
    from tinyspeech.integer import tables  # here: it loads numpy

    write(out_folder(out, paths.FIRMWARE) / "frontend_tables.h", tables.c_header())
    print((Path("firmware") if out is None else out) / "frontend_tables.h")
