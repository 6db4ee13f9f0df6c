"""A small folder of pictures to try Darkroom on, and the script that draws it."""
