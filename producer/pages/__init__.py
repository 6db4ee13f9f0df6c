"""Pages of HTML: contact sheets and the map."""
