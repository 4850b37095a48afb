"""Programs that run on the simulated machine, each in the environment of the tool it uses."""
