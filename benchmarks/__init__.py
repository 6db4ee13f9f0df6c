"""What measures Darkroom: every figure a ratio against a baseline that is timed in the same run."""
