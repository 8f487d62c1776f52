"""Benchmarks, run by hand. Their figures are ratios to a baseline or a limit measured in the same run.

What a benchmark is compared with belongs in `cleaning_baselines/` and `crawler_baselines/`.
"""
