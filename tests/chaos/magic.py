"""What makes a file deadly: how it begins, or the one colour that its picture has all over."""

ABORTS, EATS, HANGS = b"DARKROOM-ABORTS", b"DARKROOM-EATS--", b"DARKROOM-HANGS-"
CRASHES_MODELS = (3, 141, 59)
