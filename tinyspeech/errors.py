"""The one exception that users meet: a single line that says what was wrong and what would be right."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """Bad input: a path, a file, a name, a key or a device. The command line prints its text and exits with code 2."""


def run_or_say(main: Callable[[], None]) -> None:
    """Run a program; a `UserError` becomes its line on standard error and exit code 2."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
