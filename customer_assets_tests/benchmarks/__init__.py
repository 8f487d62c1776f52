"""Benchmarks, run by hand: figures as ratios to a rival or a limit in the same run."""
