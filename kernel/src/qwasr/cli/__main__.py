"""`python -m qwasr.cli`, for where the script is not on the PATH."""

from qwasr.cli import main

main()
