"""A model of 2011: from a file to an endpoint that answers."""

from typing import Any

from penstock.demo import rentals
from penstock.demo.stage import Stage, answer, command
from penstock.errors import Refused


def make_model(stage: Stage) -> dict[str, Any]:
    """Write the file, the project and its short settings, and run the main job; return what `penstock run` said.

    Raises
    ------
    Refused
        If the judge holds the first version.
    """
    file = rentals.write_year(stage.folder / f"{rentals.PROJECT}.csv")
    drafted = answer(stage, "init", rentals.PROJECT, "--data", file.name, "--target", rentals.TARGET)
    project = stage.folder / drafted["file"]
    rentals.shorten(project)
    stage.tell(f"Short settings, for the demo only, in {project}:")
    for key, (value, why) in rentals.SETTINGS.items():
        stage.tell(f"  {key}: {value}".ljust(40) + f"# {why}")
    said = answer(stage, "run", rentals.PROJECT)
    score = said["score"]
    stage.tell(f"version {said['version']}: {said['decision']['verdict']}. {' '.join(said['decision']['reasons'])}")
    stage.tell(
        f"It promises an error of {score['value']:.0f} rentals an hour ({score['low']:.0f} to {score['high']:.0f}), "
        f"on {score['rows']} hours that nothing was fitted on."
    )
    for told in said["left_out"]:
        stage.tell(f"left out: {told}")
    if said["decision"]["verdict"] != "promote":
        raise Refused("The story needs a first version that answers, but the judge holds it: its reasons stand above.")
    return said


def start(stage: Stage) -> None:
    """Start the stack."""
    command(stage, "up")
