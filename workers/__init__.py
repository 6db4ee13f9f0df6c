"""What runs on the machines: GPU workers, the storage worker, and the local stack that supervises both."""
