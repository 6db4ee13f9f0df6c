"""The two small checkpoints that ship with Darkroom, and the scripts that draw, train and measure them."""
