"""What the numbers depend on: load, cores, CPU model, how two loops scale, the commit."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from harness.errors import BenchError

REPOSITORY = Path(__file__).resolve().parents[2]
BUSY_MAX = 0.1
WATCHED_SECONDS = 3
LOOP = "n = 0\nfor i in range({count}):\n    n += i\n"
LOOP_COUNT = 15_000_000


def refuse_when_busy(force: bool) -> list[str]:
    """Ends the run when something else is running; with `force` returns the warning to keep with the results.

    What counts is the cores' time in the next seconds: the load average still holds what ended a minute ago.
    """
    before = _core_ticks()
    time.sleep(WATCHED_SECONDS)
    after = _core_ticks()
    busy = 1 - (after[1] - before[1]) / (after[0] - before[0])
    if busy <= BUSY_MAX:
        return []
    message = f"{busy:.0%} of the cores' time is taken, more than {BUSY_MAX:.0%}: something else is running"
    if not force:
        raise BenchError(f"{message}. Wait for it to end, or pass --force for numbers that must not be published.")
    return [message]


def _core_ticks() -> tuple[int, int]:
    """All time of all cores since the start, and the part of it in which they had nothing to do, waiting for disks included."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def pick_cores(count: int) -> list[int]:
    """The first `count` cores this process may run on."""
    allowed = sorted(os.sched_getaffinity(0))
    if count > len(allowed):
        raise BenchError(f"--cores {count} asked for, but only {len(allowed)} cores can be used here")
    return allowed[:count]


def pinned(command: list[str], cores: list[int] | None) -> list[str]:
    """The command, held on these cores from its first instruction. `None` leaves it free."""
    if cores is None:
        return command
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]


def two_loop_scaling() -> dict[str, float | None]:
    """How much of a second core a second busy loop gets: 2.0 is two full cores, 1.0 is one core shared.

    Virtual machines promise two cores and sometimes give less; every two-core figure is read beside this one.
    """
    allowed = sorted(os.sched_getaffinity(0))
    alone = min(_loops(allowed[:1]) for _ in range(3))
    if len(allowed) < 2:
        return {"one_loop_seconds": alone, "two_loops_seconds": None, "scaling": None}
    together = min(_loops(allowed[:2]) for _ in range(3))
    return {"one_loop_seconds": alone, "two_loops_seconds": together, "scaling": 2 * alone / together}


def _loops(cores: list[int]) -> float:
    """Wall seconds until one loop per core, all started at once, have ended."""
    command = [sys.executable, "-S", "-c", f"def loop():\n    {_indented()}\nloop()"]
    started = time.perf_counter()
    running = [subprocess.Popen(pinned(command, [core])) for core in cores]
    for process in running:
        process.wait()
    return time.perf_counter() - started


def _indented() -> str:
    return LOOP.format(count=LOOP_COUNT).replace("\n", "\n    ")


def describe() -> dict:
    """The facts kept beside every result."""
    return {
        "cpu_model": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "load_1m_at_start": os.getloadavg()[0],
        "commit": _commit(),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _commit() -> str:
    """The commit of this repository, with `+changes` when the work tree differs from it."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return "unknown"
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return f"{head}+changes" if changes else head


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
