"""Every error that Penstock raises on purpose.

::

    PenstockError
      SpecError            the project file says something it must not
      DataError            the data is not what the spec or the contract says
        SourceUnavailable    the source did not answer (worth a retry)
      ModelError           a family cannot be built, fitted or exported
        MissingExtra         its library is not installed
      NotFound             no such project, dataset, version, release or drop-in
      Refused              a gate, a policy or a permission says no
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class PenstockError(Exception):
    """What must hold, what was found and what to do, in one message; `details` for programs."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, details: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = list(details)

    def __reduce__(self) -> tuple[type["PenstockError"], tuple[str, list[Any]]]:
        return type(self), (self.message, self.details)

    @property
    def kind(self) -> str:
        """The error's name, for programs."""
        return type(self).__name__


class SpecError(PenstockError):
    """The project file or an argument says something it must not."""


class DataError(PenstockError):
    """The data is not what the spec or the contract says."""


class SourceUnavailable(DataError):
    """The source did not answer; asking again may help."""


class ModelError(PenstockError):
    """A family cannot be built, fitted or exported."""


class MissingExtra(ModelError):
    """A drop-in's library is not installed."""


class NotFound(PenstockError):
    """There is no such project, dataset, version, release or drop-in."""


class Refused(PenstockError):
    """A contract, a gate, a policy or a permission says no."""

    exit_code: ClassVar[int] = 3
