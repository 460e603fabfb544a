"""CPU seconds used by another process, in nanosecond steps.

/proc/PID/stat counts in 10 ms ticks, too coarse for a query of 5 ms. Linux has a CPU clock for every process instead:
its id is made from the process id as `clock_getcpuclockid(3)` does. Threads that have ended are included, children are not.
"""

import time

CPUCLOCK_SCHED = 2


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of `pid` since it started, in seconds."""
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
