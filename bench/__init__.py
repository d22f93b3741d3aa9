"""Figures: what the engine, a host call, an HTTP request and a start cost, beside their peers, measured in one run.

``make bench``, or ``python -m bench --only http --seconds 3 --json figures.json``. Each section prints a Markdown table
of medians and ratios. Nothing here asserts a time: a figure belongs to a machine, and a ratio of two medians that were
measured in turns says more than either.
"""
