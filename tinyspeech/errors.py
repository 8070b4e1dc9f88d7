"""What users meet: a single line that says what was wrong and what would be right, or what they should know."""


class UserError(Exception):
    """Bad input: a path, a file, a name, a key or a device. The command line prints its text and exits with code 2."""


class Notice(UserWarning):
    """Something to know of a file that is used all the same: a line on standard error, once.

    `warnings.warn(text, Notice)` says it; whoever calls the library may turn it into an error, or silence it.
    """
