"""Pictures, from an address to pixels and facts: reading, decoding, colour, RAW files, metadata and thumbnails."""
