"""What a search found, as the bytes of its parts: put together without loading what the parts need to load."""

import pickle  # noqa: TID251  pipelines and estimators that this search fitted, kept by digest and read back by its fit
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import ModelError
from penstock.models._base import ModelFamily
from penstock.search.model.blend import Blend, Member, Part


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A member to be: its family's name, its weight, and for each part a pipeline by key and a pickled estimator."""

    family: str
    weight: float
    parts: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The members of a model, with the pickled pipelines that their parts share."""

    members: tuple[Ingredient, ...]
    pipelines: dict[str, bytes]

    def save(self, path: Path) -> None:
        """Write it."""
        draft = path.with_name(f".{path.name}")
        draft.write_bytes(pickle.dumps(self))
        draft.replace(path)

    @staticmethod
    def read(path: Path) -> "Recipe":
        """Return a recipe that was written."""
        found = pickle.loads(path.read_bytes())  # noqa: S301  written by this search, in its own folder
        if not isinstance(found, Recipe):
            raise TypeError(f"{path.name} must hold a recipe, but holds {type(found).__name__}.")
        return found

    def prepare(self, families: dict[str, ModelFamily]) -> Blend:
        """Return the model; its libraries load.

        Raises
        ------
        ModelError
            If a family is not among `families`.
        """
        missing = sorted({one.family for one in self.members} - set(families))
        if missing:
            raise ModelError(f"A member is of the family {missing[0]!r}, which is not there. There are: {families}.")
        pipelines = {key: pickle.loads(data) for key, data in self.pipelines.items()}  # noqa: S301  see above
        return Blend(
            tuple(
                Member(
                    families[one.family],
                    one.weight,
                    tuple(Part(pipelines[key], pickle.loads(data)) for key, data in one.parts),  # noqa: S301
                )
                for one in self.members
            )
        )
