"""Benchmarks beside their peers. ``python -m bench`` lists the rows; each row is a module here with ``run(quick)``."""
