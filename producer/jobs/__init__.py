"""How jobs are: read from the ledger, shown as tables, as a dashboard and as a report a file."""
