"""What a found model is made of: members, calibration, limits, and the file it is kept in."""
