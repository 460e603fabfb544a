"""How fast results leave the server, beside a plain TCP copy. Start with run.py."""
