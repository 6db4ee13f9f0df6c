"""The producer's command line in a hurry: it says after two seconds what others hear after twenty, is missed sooner."""

import producer.job_lease
import producer.watch
from producer.__main__ import main

if __name__ == "__main__":
    producer.watch.STUCK_SECONDS = 2.0
    producer.job_lease.LEASE_SECONDS = 3
    main()
