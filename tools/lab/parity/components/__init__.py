"""Single parts of the model, each compared with what the reference's part gave for the same inputs."""
