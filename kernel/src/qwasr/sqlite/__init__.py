"""A SQLite file behind an interface: how it is opened, and the threads that keep the event loop from waiting for it.

An interface says once what its files are, and a backend of it keeps one::

    FORM = Form(
        what="shelf",
        application=0x73686C66,
        version=1,
        schema=("CREATE TABLE books (title BLOB PRIMARY KEY, text BLOB NOT NULL)",),
        errors=FileErrors(unavailable=Unavailable, denied=AccessDenied, full=OutOfSpace, too_large=TooLarge),
        expected=ShelfError,
    )

    threads = await asyncio.to_thread(Threads, FORM, Place(path=Path("shelf.db")), asyncio.get_running_loop())
    await threads.write(lambda file: file.execute("INSERT INTO books VALUES (?, ?)", (title, text)))
    rows = await threads.read(lambda file: file.execute("SELECT title FROM books").fetchall())

Writes that come at the same time share one transaction, and so one wait for the disk; each of them still fails or
succeeds by itself. Several threads of several processes may use one file.
"""

from __future__ import annotations

from qwasr.sqlite._file import FileErrors, Form, Place, explain, path_of
from qwasr.sqlite._threads import Threads

__all__ = ["FileErrors", "Form", "Place", "Threads", "explain", "path_of"]
