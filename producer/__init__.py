"""What a person runs: scan a folder, plan, enqueue, watch; search and status. Talks to Redis only."""
