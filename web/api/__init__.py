"""Version 1 of the HTTP interface: thin over the producer's client, one module a subject."""

PREFIX = "/api/v1"
