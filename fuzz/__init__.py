"""Feeds the parsers and the codec what nobody would write: `python -m fuzz`, or `make fuzz`."""
