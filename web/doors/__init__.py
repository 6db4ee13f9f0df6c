"""Who may come in, and with what: hosts, origins, tokens, sizes and rates."""
