"""What comes from others - files, paths, numbers, a device's words - becomes a value or one clear line; without numpy.

| what | where |
| --- | --- |
| text that may hold anything, on a terminal; an error of the system in one line | `shown.py` |
| a file: regular, of a bounded size, in UTF-8; whatever a parser raises | `files.py` |
| arrays in an `.npz`, whose sizes are checked before memory is taken | `arrays.py` |
"""
