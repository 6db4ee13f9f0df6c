"""The catalog on the embedded Qdrant engine."""
