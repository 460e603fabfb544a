"""One file per engine that runs inside Python, and one for the client of the Murre server."""
