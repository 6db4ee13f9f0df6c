"""What makes a file deadly: how it begins, or the one colour that its picture has all over."""

ABORTS, EATS = b"DARKROOM-ABORTS", b"DARKROOM-EATS--"
CRASHES_MODELS = (3, 141, 59)
