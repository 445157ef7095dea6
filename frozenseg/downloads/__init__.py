"""Downloads: one cache folder, atomic writes, verification by hashes, continuation of partial files."""
