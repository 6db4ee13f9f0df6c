"""One ingest: scan, plan, enqueue within a window, follow, publish again what was lost, and report how it ended."""
