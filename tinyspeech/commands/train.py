"""`train`: a network, in float, then at few bits."""

from __future__ import annotations

import sys
from pathlib import Path

from tinyspeech.commands._common import add_command, add_json, show
from tinyspeech.errors import UserError
from tinyspeech.paths import BUNDLED, CONFIGS, RUNS

MOST_THREADS = 1024
"""A slip of the finger beyond: torch takes more than 2^31 for an error of its own."""


def add(commands) -> None:
    command = add_command(commands, "train", "train a network, float first, then at few bits")
    command.add_argument("--config", required=True, help="YAML file, or a name in data/configs")
    command.add_argument("--data", default=str(BUNDLED),
                         help="folder in Speech Commands layout, another corpus, or the log-mel set (.npz or .tar.gz)")
    command.add_argument("--noise", default=None, metavar="FOLDER",
                         help="recordings of noise to train on, in place of those that come with the data")
    command.add_argument("--negatives", default=(), nargs="+", type=Path, metavar="FOLDER",
                         help="recordings of running speech without commands, for a config with streams")
    command.add_argument("--ambience", default=(), nargs="+", type=Path, metavar="FOLDER",
                         help="recordings of noise and music, for a config with streams")
    command.add_argument("--rooms", default=None, type=Path, metavar="FOLDER",
                         help="rooms' impulse responses, for a config with streams")
    for flag, kind in (("epochs", int), ("qat-epochs", int), ("batch-size", int), ("lr", float), ("momentum", float),
                       ("seed", int)):
        command.add_argument(f"--{flag}", type=kind, default=None, help="instead of the config's")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--threads", type=int, default=1, help="of the CPU; with another number sums are taken in "
                         "another order, and the run ends at another network, as with another seed")
    command.add_argument("--save-pth", default=None, metavar="FILE",
                         help="the network's file; by default runs/, under the config's name")
    command.add_argument("--resume", action="store_true", help="go on from the last epoch's checkpoint")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    add_json(command, "print JSON at the end")
    command.set_defaults(run=run)


def run(args) -> None:
    import torch  # here, and all that loads it

    from tinyspeech.lowbit import saved
    from tinyspeech.training import streams, train
    from tinyspeech.training.config import load_config
    from tinyspeech.training.data import load

    config_path = Path(args.config)
    if not config_path.exists():
        names = (CONFIGS / config_path.name, CONFIGS / f"{config_path.name}.yaml")
        config_path = next((path for path in names if path.is_file()), config_path)
    config = load_config(config_path, epochs=args.epochs, qat_epochs=args.qat_epochs, lr=args.lr, seed=args.seed,
                               batch_size=args.batch_size, momentum=args.momentum)
    device = train.pick_device(args.device)
    if not 1 <= args.threads <= MOST_THREADS:
        raise UserError(f"--threads must be 1 to {MOST_THREADS}, not {args.threads}")
    torch.set_num_threads(args.threads)
    train.build(config)  # refuses a network that cannot be, before the data is read
    out = Path(args.save_pth) if args.save_pth is not None else RUNS / f"{config_path.stem}.pt"
    saved.check_writable(out)  # so is a file that cannot be
    if args.resume and not saved.beside(out, ".checkpoint").exists():
        raise UserError(f"{saved.beside(out, '.checkpoint')} does not exist: train without --resume first")
    if config.streams:  # and so are flags that are missing
        missing = [flag for flag in ("negatives", "ambience", "rooms") if not getattr(args, flag)]
        if missing:
            raise UserError(f"{config_path} trains on streams too, and needs --{', --'.join(missing)}: folders of "
                            "running speech, noise, rooms' impulse responses")
    data, sounds = load(args.data, args.noise, config.features, config.classes), None
    if config.streams:
        sounds = streams.load(data, args.negatives, args.ambience, args.rooms)
    try:
        metrics = train.train(config, data, out, device, args.resume, args.quiet, sounds)
    except KeyboardInterrupt:
        if (checkpoint := saved.beside(out, ".checkpoint")).exists():
            print(f"{checkpoint} holds the last whole epoch: --resume goes on from there", file=sys.stderr)
        raise
    del metrics["history"]
    show({"file": str(out), **metrics}, args.json,
         f"{out}: validation {metrics['accuracy']:.2f} % (float {metrics['float_accuracy']:.2f} %)")
