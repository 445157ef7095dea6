"""Addresses of the server: a module for each protocol, with the ``router`` that the application includes."""
