"""Which setting makes requests fail, and what to do about it. Data only."""

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
