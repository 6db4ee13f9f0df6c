"""A question to the collection: its terms, its vector, and the pictures that answer it."""
