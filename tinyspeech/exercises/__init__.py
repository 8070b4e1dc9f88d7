"""Exercises of the book, a module a chapter: the reader's own code is tried, and hears what is wrong with it.

    from tinyspeech.exercises.words import check
    check(template_bytes)

Each exercise knows examples, hints, and the mistakes that people make (`trying.Exercise`). The stub and the solution
stand in the chapter; tests/exercises runs both, and answers that are wrong. All chapters with exercises.
"""
