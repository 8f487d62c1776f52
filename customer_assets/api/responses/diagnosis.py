"""Which setting makes requests fail, and what to do about it. Data and words only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A failure that a person has to mend.

    Attributes:
        setting: The setting's name, as a person would set it.
        problem: What is wrong; no value of a customer, no secret.
        remedy: What to set instead.
        is_certain: Whether another request could not bring anything else.
    """

    setting: str
    problem: str
    remedy: str
    is_certain: bool = False


def kind_of(value: object) -> str:
    """What a JSON value is, in words: never the value itself."""
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
