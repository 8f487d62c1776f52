"""A hostile customer API on loopback, for demonstrations, tests and benchmarks."""
