"""SQLite, in memory and in a file, against a model."""

from __future__ import annotations

from hypothesis import settings

from interfaces.sql.tests.sqlite_model import SqlMachine


class FileMachine(SqlMachine):
    """A file, with connections that read beside the one that writes."""

    in_file = True


SETTINGS = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestInMemory = SqlMachine.TestCase
TestInMemory.settings = SETTINGS
TestInAFile = FileMachine.TestCase
TestInAFile.settings = SETTINGS
