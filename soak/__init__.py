"""Ten thousand calls of each kind, and then nothing may be left: `python -m soak`, or `make soak`."""
