"""Pictures decoded on the device of the models, where a library for that is installed."""
