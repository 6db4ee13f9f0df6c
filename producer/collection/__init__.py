"""Commands on what is stored: search, duplicates, export, statistics, prune, move, and following a folder."""
