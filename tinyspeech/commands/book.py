"""`book`: run its notebooks and store them, check them, keep quoted numbers true, show it, draw its pictures.

It does not build the book (`make html`) and does not compare outputs (`pytest --nbval book/`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tinyspeech import paths
from tinyspeech.commands._common import add_actions, add_command, write


def add(commands) -> None:
    actions = add_actions(add_command(commands, "book", "the book's notebooks, numbers, pictures, pages and address"))
    for name, text, run in (
            ("execute", "run notebooks, store their outputs, and check them", run_execute),
            ("check", "say what is wrong with stored notebooks; exit code 1 if anything is", run_check)):
        action = add_command(actions, name, text)
        action.add_argument("notebook", nargs="*", type=Path, help="by default all, in reading order")
        action.set_defaults(run=_in_clone(run))
    numbers = add_command(actions, "numbers", "rewrite the numbers that are quoted from data/results.json")
    numbers.add_argument("--check", action="store_true", help="only compare; exit code 1 if one is stale")
    numbers.set_defaults(run=_in_clone(run_numbers))
    serve = add_command(actions, "serve", "show the built book to a browser on this machine, until Ctrl-C")
    serve.add_argument("--port", type=int, default=0, help="of the address; 0 takes any free one")
    serve.set_defaults(run=_in_clone(run_serve))
    publish = add_command(actions, "publish", "write the book's public address into its settings and notebooks")
    publish.add_argument("address", help="of the repository, as https://github.com/OWNER/NAME")
    publish.set_defaults(run=_in_clone(run_publish))
    pictures = add_command(actions, "pictures", "draw anew what code draws in book/images: README's run, plan, wiring, "
                                                "and the strip at the head of each chapter")
    pictures.set_defaults(run=_in_clone(run_pictures))


def _in_clone(run: Callable) -> Callable:
    """The same, where there is a book."""
    def checked(args):
        paths.need_clone("the book")
        return run(args)

    return checked


def run_execute(args) -> int:
    from tinyspeech.pages import notebooks  # here, as all below: it loads what reads notebooks

    return _report(args.notebook, notebooks.execute)


def run_check(args) -> int:
    return _report(args.notebook)


def _report(files: list[Path], first: Callable[[Path], None] | None = None) -> int:
    """Do that first, then print what each notebook is and what is wrong with it; returns 1 if anything is."""
    from tinyspeech.pages import notebooks, rules, site

    failed = False
    files = files or site.notebook_files()
    for file in files:
        notebooks.load(file)  # refuses what is no notebook, before anything is done
    for file in files:
        if first is not None:
            first(file)
        line, complaints = rules.report(file)
        print("\n  ".join([line, *complaints]))
        failed = failed or bool(complaints)
    return int(failed)


def run_numbers(args) -> int:
    from tinyspeech.pages.numbers import renumber

    stale = renumber(write=not args.check)
    print("\n".join(stale) or "every quoted number is what was measured")
    return int(args.check and bool(stale))


def run_serve(args) -> None:
    from tinyspeech.pages import site

    site.serve(args.port, lambda line: print(line, flush=True))


def run_publish(args) -> None:
    from tinyspeech.pages.publish import publish

    changed = publish(args.address)
    print("\n".join(str(file.relative_to(paths.ROOT)) for file in changed) or "nothing to change")


def run_pictures(args) -> None:
    from tinyspeech.pages import cover, house, way, wiring  # here: they load matplotlib

    pictures = {cover.PICTURE: cover.picture, house.PICTURE: house.picture} | wiring.PICTURES
    for file, text in ({file: draw() for file, draw in pictures.items()} | way.drawn()).items():
        write(file, text)
        print(file.relative_to(paths.ROOT))
