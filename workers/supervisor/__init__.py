"""The supervised local stack: Redis, the storage worker, the GPU workers and Flower as child processes."""
