"""A generator of pictures of every kind: format, depth, layout, packing, colours, transparency, byte order."""
