"""The producer's command line, which asks the storage worker about ten files at a time."""

import producer.ingest.plan
from producer.__main__ import main

if __name__ == "__main__":
    producer.ingest.plan.CHUNK = 10
    main()
