"""The probe: which precision is fast and right on this machine, asked once for each checkpoint."""
