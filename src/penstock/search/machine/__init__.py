"""What a search runs on: slots with their processes, devices and memory, and the trials inside them."""
