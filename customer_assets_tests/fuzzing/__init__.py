"""Coverage-guided fuzzing of what reads the outside world: one target a file, each a law that any bytes must keep."""
