"""What the commands share: one style of parser, the arguments that several have, and how a result is printed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.paths import SHIPPED


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Defaults behind every flag that has one worth telling."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, ()) else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """argparse in the style of this program: its errors are one line, its help tells defaults."""

    def __init__(self, *args, formatter_class=Help, **options):
        super().__init__(*args, formatter_class=formatter_class, **options)

    def error(self, message: str):
        raise UserError(f"{self.prog}: {message} (see --help)")


def add_command(commands, name: str, text: str) -> Parser:
    """A command's parser, with its one line for both helps, that of all commands and its own."""
    return commands.add_parser(name, help=text, description=text)


def add_actions(command: Parser):
    """The subparsers of a command that is several, such as `data info`."""
    return command.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=Parser)


def add_model(command: Parser) -> None:
    command.add_argument("--model", default=SHIPPED, help="a network in data/models")


def add_port(command, required: bool = False) -> None:
    """command : a parser, or a group of arguments that exclude each other, which may not be required one by one"""
    command.add_argument("--port", required=required, default=None,
                         help="serial port: /dev/ttyUSB0, COM3, or what `board` prints")


def add_json(command: Parser, text: str = "print JSON") -> None:
    command.add_argument("--json", action="store_true", help=text)


def add_out(command: Parser, what: str, ours: str) -> None:
    """ours : where it goes in a clone if nothing else is said"""
    command.add_argument("--out", default=None, type=Path, metavar="FOLDER",
                         help=f"write {what} into this folder; by default, in a clone, {ours}")


def out_folder(given: Path | None, ours: Path) -> Path:
    """Where a command writes: where it is told to, else into the clone, else nowhere, which raises `UserError`."""
    if given is None and not paths.is_clone():
        raise UserError("say where to write, with --out FOLDER: the files of this installation stay as they are")
    return given or ours


def write(file: Path, text: str) -> None:
    """Put a text into a file. Raises `UserError` where that may not be."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from error


def show(result: dict, as_json: bool, text: str) -> None:
    """Print one or the other."""
    print(json.dumps(result, indent=2) if as_json else text)
