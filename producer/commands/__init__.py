"""One module a command of the producer; what a command does is imported only when it runs."""
