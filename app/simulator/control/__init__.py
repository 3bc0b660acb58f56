"""Control of the simulator by tests and developers."""
