"""What a browser or another program asks: the gallery and the HTTP interface, over the producer's client."""
