"""Benchmarks, run by hand: each prints its figures as ratios to a rival or a limit measured in the same run."""
