"""The stack of one machine as others find it: where its files lie, what it is, and the locks that say it lives."""
