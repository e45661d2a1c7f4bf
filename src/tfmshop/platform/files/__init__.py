"""Files: rows to read, pictures to keep."""
