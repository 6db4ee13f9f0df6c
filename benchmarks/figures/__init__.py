"""What becomes of figures: bounds that they are held to, the machine they are of, and the tables made from them."""
