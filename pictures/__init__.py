"""From an address to pixels, facts and thumbnails: reading, formats, decoding, colour, RAW files, metadata."""
