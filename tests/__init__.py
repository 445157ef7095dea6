"""The test suite; it mirrors the package's folders."""
