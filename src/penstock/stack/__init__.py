"""The processes of one machine: start, watch, end, examine."""
