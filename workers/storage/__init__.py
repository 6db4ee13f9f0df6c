"""The storage worker: the only part of Darkroom that talks to Qdrant, a server or the embedded engine."""
