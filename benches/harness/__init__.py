"""What the side-by-side benchmarks share: the machine, CPU clocks, child processes, the Murre server, a Flight SQL client."""
