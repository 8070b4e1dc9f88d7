"""The one exception that users meet: a single line that says what was wrong and what would be right."""


class UserError(Exception):
    """Bad input: a path, a file, a name, a key or a device. The command line prints its text and exits with code 2."""
