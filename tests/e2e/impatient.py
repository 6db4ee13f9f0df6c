"""The producer's command line in a hurry: it says after two seconds what others hear after twenty, is missed sooner."""

import producer.ingest.job_progress
import producer.jobs.lease
from producer.__main__ import main

if __name__ == "__main__":
    producer.ingest.job_progress.STUCK_SECONDS = 2.0
    producer.jobs.lease.LEASE_SECONDS = 3
    main()
