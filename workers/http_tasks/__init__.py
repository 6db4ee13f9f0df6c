"""Tasks that other programs call by Flower's HTTP interface: JSON in, JSON out. docs/http.md describes them.

Flower imports this package to know the tasks; the models that they need are imported only in the workers.
"""

# The imports register the tasks.
import workers.http_tasks.directory
import workers.http_tasks.pictures  # noqa: F401  # to register its tasks
from tasks.app import app

__all__ = ["app"]
