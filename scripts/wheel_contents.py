"""Lay the application into a wheel as package data: users have top-level packages named `flows` and `tasks`."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

APPLICATION = ("flows", "tasks", "prefect.yaml")


class WheelContents(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own configuration type
    """Adds `penstock/app/` to a wheel; an editable installation finds the application in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files to include."""
        if version == "standard":
            build_data["force_include"].update({name: f"penstock/app/{name}" for name in APPLICATION})
