"""The commands of `python -m tinyspeech`, one file each: parse, call into the library, print; nothing is computed here.

Each has `add(commands)`, which adds its parser to the subparsers given, and `run(args)`, which does the work. What a
command works with is imported in `run`, so that `--help` answers at once: no numpy, no torch.
"""
