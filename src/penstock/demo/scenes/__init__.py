"""The scenes of the demo's story, each a client that sees what any user can see."""
