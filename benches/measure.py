"""What a run of a program took: processor time, memory, and how quiet the machine was meanwhile. Knows no tool and no capture."""

import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

LOOK_AGAIN_S = 0.004


class Done:
    """One run: its exit code (negative where a signal ended it), user and system seconds, octets of memory at the most."""

    def __init__(self, code, usage, wall, peak, output, complaint):
        self.code, self.wall, self.peak = code, wall, peak
        self.user, self.system = usage.ru_utime, usage.ru_stime
        self.output, self.complaint = output, complaint

    @property
    def cpu(self):
        return self.user + self.system

    def sample(self):
        return {"user_s": self.user, "system_s": self.system, "wall_s": round(self.wall, 4), "peak_octets": self.peak}


def environment():
    """Nobody's configuration, and not the rights of whoever called sudo."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SUDO_", "ESP_TCPWATCH_"))}
    return {**kept, "XDG_CONFIG_HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}


def run(command, most_cpu=None, keep_output=False):
    """Runs to the end; the kernel ends what takes more than `most_cpu` seconds of processor time."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaint:
        began = time.monotonic()
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output if keep_output else subprocess.DEVNULL,
            stderr=complaint,
            env=environment(),
            preexec_fn=lambda: most_cpu and resource.setrlimit(resource.RLIMIT_CPU, (most_cpu, most_cpu)),
        )
        peak = 0
        while True:
            peak = max(peak, peak_of(child.pid))
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(LOOK_AGAIN_S)
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        # The kernel's own number counts this process too, until the program was loaded: it is exact only above that.
        ours = peak_of(os.getpid())
        if usage.ru_maxrss * 1024 > ours:
            peak = usage.ru_maxrss * 1024
        texts = []
        for file in (output, complaint):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return Done(child.returncode, usage, wall, peak, *texts)


def peak_of(pid):
    """The most memory that a process has held so far, octets; 0 where it has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Quiet:
    """How busy the machine was with other things."""

    def __init__(self):
        self.began = self.now()

    def now(self):
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        per_second = os.sysconf("SC_CLK_TCK")
        busy = (sum(fields) - fields[3] - fields[4]) / per_second
        times = os.times()
        return time.monotonic(), busy, times.user + times.system + times.children_user + times.children_system

    def told(self):
        (began, busy_before, own_before), (now, busy, own) = self.began, self.now()
        others = max(0.0, (busy - busy_before) - (own - own_before)) / (now - began) / (os.cpu_count() or 1)
        words = f"It took {now - began:.0f} s, and other programs had {others:.0%} of the processors meanwhile"
        return words + (": what follows is rough, and wall times mean little." if others > 0.1 else ".")


def machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    system = "Linux"
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            system = line.split("=", 1)[1].strip('"')
    kernel = platform.release().split("-")[0]
    return f"{model}, {os.cpu_count()} processors, {memory:.0f} GiB, {system}, Linux {kernel}"


def median(numbers):
    return statistics.median(numbers)


def write_section(page, name, text):
    """Puts `text` between the two lines of `page` that say where the section `name` begins and ends."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    whole = page.read_text()
    if whole.count(begin) != 1 or whole.count(end) != 1:
        raise SystemExit(f"{page} needs one line {begin} and one {end}")
    before, rest = whole.split(begin)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end)[1]}")
