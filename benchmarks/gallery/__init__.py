"""The gallery and its interface: what small pictures cost, and how fast a server answers."""
