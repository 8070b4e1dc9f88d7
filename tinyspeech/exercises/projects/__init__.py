"""Projects of the book, a module a part: the reader builds something larger, and the virtual chip measures it.

    from tinyspeech.exercises.projects import kernel
    kernel.score(source, pack)

A project has rules, limits and points. Each `score` takes a submission, judges it with inputs that it draws itself,
and returns a `scored.Score`, which prints itself: the same on every machine, since all of it is whole numbers and
cycles of the virtual chip. What is wrong with a submission is told in one line with a hint; nothing that a submission
does ends in a traceback. The rules and the first steps stand on the pages project_*.
"""
