"""The scripts of the command line; a package, so that tests find these and not those of another project."""
