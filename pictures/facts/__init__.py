"""What is written about a picture, in it and beside it: a fact a file, each right or left out."""
