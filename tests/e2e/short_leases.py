"""The workers' command line with short leases: a search whose storage worker was killed begins anew within seconds."""

import workers.storage.duplicates.shared_search
from workers.__main__ import main

if __name__ == "__main__":
    workers.storage.duplicates.shared_search.LEASE_SECONDS = 2
    main()
