"""Following a folder: what changes below it, and what that means for the collection."""
