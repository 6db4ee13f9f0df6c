"""What the usual decoder does not read, or does not read right: one file a format."""
