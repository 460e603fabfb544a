"""Point queries by prepared statement, over ADBC. Start with run.py."""
