"""The generator, and the story that the demo tells."""
