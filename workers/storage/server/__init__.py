"""The catalog on a Qdrant server."""
