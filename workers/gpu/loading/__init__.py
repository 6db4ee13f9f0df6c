"""How files are loaded: read, hashed, decoded, in threads of the GPU worker or in processes of their own."""
