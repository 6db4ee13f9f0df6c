"""How the points of an answer are chosen and put in order."""
