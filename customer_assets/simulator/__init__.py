"""A hostile customer API on loopback, for demonstrations, tests and benchmarks. It serves invented customers only."""

from customer_assets.simulator.server import Simulator, running_simulator, start_simulator
from customer_assets.simulator.settings import SimulatorSettings

__all__ = ["Simulator", "SimulatorSettings", "running_simulator", "start_simulator"]
