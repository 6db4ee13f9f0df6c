"""How a deadly file begins."""

ABORTS, EATS = b"DARKROOM-ABORTS", b"DARKROOM-EATS--"
