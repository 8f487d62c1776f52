"""How a function becomes an asset or a check of any sync: Dagster's own decorator, given that sync's names."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, TypeVar

import dagster as dg

from customer_assets.defs.sync import DEFAULT_SYNC, Sync

Built = TypeVar("Built")
Function = Callable[..., Any]
Decorator = Callable[[Function], Built]


class Blueprint(Generic[Built]):
    """Functions and how each is decorated for a sync: enough to build them again under other names."""

    def __init__(self) -> None:
        self._parts: list[tuple[Callable[[Sync], Decorator[Built]], Function]] = []

    def of(self, decorator: Callable[[Sync], Decorator[Built]]) -> Decorator[Built]:
        """Declare a function; what it becomes in this project's own sync stands in its place.

        Args:
            decorator: Makes Dagster's decorator for a sync.
        """

        def declare(function: Function) -> Built:
            self._parts.append((decorator, function))
            return decorator(DEFAULT_SYNC)(function)

        return declare

    def build(self, sync: Sync) -> tuple[Built, ...]:
        """Build all that was declared, for a sync."""
        return tuple(decorator(sync)(for_resources_of(sync, function)) for decorator, function in self._parts)


def for_resources_of(sync: Sync, function: Function) -> Function:
    """Let a function take the resources of a sync: to Dagster, a parameter's name is its resource's key."""
    signature = inspect.signature(function)
    keys = sync.resources(
        name
        for name, parameter in signature.parameters.items()
        if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, dg.ConfigurableResource)
    )
    names = {key: name for name, key in keys.items()}

    @wraps(function)
    def renamed(*args: Any, **given: Any) -> Any:  # noqa: ANN401 - as the function has it
        return function(*args, **{names.get(key, key): value for key, value in given.items()})

    # Dagster takes the annotation of a generator for that of one output, unless it sees a generator function.
    returned = inspect.Signature.empty if inspect.isgeneratorfunction(function) else signature.return_annotation
    parameters = [each.replace(name=keys.get(each.name, each.name)) for each in signature.parameters.values()]
    renamed.__signature__ = signature.replace(  # type: ignore[attr-defined] # PEP 362's way
        parameters=parameters, return_annotation=returned
    )
    renamed.__annotations__ = {each.name: each.annotation for each in parameters} | (
        {} if returned is inspect.Signature.empty else {"return": returned}
    )
    return renamed
