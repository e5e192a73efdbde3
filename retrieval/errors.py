"""The root of Wetread's errors, and the library's own.

It lies in the lowest room so that every room above can raise one family, and the two edges
(`app.py` and the command line) can catch one class. Nothing here knows what went wrong: the
message does, in one sentence that says what, where, and what to do.
"""


class WetreadError(Exception):
    """Something a person can put right; the message is one sentence for that person."""


class LibraryError(WetreadError):
    """The library of cases cannot do what was asked."""
