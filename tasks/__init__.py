"""The contract between the producer and the workers: the Celery app, queues, messages and the ledger of jobs."""
