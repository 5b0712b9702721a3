"""The journal's files after they are written: ids, segments, sealing, reading; and what challengers said."""
