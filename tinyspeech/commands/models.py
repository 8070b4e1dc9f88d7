"""`models`: the family of networks, counted, next to what was published."""

from __future__ import annotations

from tinyspeech.commands._common import add_command


def add(commands) -> None:
    command = add_command(commands, "models", "parameters and MACs of the paper's networks, next to the published")
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.networks.models import family_table  # here: it loads torch

    print(family_table())
