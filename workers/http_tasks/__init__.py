"""What other programs may ask for by Flower's HTTP interface: JSON in, JSON out. docs/http.md says how.

Flower imports this package to know the tasks; the models that they need are imported only where they run.
"""

# The imports register the tasks.
import workers.http_tasks.directory
import workers.http_tasks.pictures  # noqa: F401
from tasks.app import app

__all__ = ["app"]
