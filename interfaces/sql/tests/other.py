"""Another process that has a database file open: within one process, two copies of SQLite share no locks.

As a program, `python other.py FILE`, it runs each line of its standard input and answers with the rows as JSON.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path


class Other:
    """The process, from outside; its calls block, for milliseconds."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, __file__, str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, sql: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{sql}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def main(path: str) -> None:
    file = sqlite3.connect(path, isolation_level=None)
    for line in sys.stdin:
        print(json.dumps(file.execute(line).fetchall()), flush=True)
    file.close()


if __name__ == "__main__":
    main(sys.argv[1])
