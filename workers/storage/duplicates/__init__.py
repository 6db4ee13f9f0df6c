"""Pictures that are there more than once: which belong together, and a search for them that workers share."""
