"""Pictures that are there more than once: finding them, and moving all but one out of the way."""
