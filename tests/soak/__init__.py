"""The service in production mode under mixed load for an hour, with faults: `make soak`."""
