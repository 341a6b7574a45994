"""make bench-live: a flood on a veth pair, with esp-tcpwatch watching.

Moves into a network namespace of its own, makes the pair there, and measures loss, processor time and latency; how long a silent link
takes to tell of its silence; and what the screen costs. Writes the section `live` of docs/performance.md.

    live.py PROGRAM SENDER [--rate 200000] [--seconds 30] [--page FILE]
"""

import argparse
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

from measure import Quiet, environment, machine, median, peak_of, write_section

SENDS, HEARS = "bench0", "bench1"
FLOODED = "10.78.0.2"
# Devices that show the bug during a flood, and how many begin in a second.
COLLIDING_A_SECOND = 8
SHOWN = ("time-wait-collision", "ignored-rst")
APP_STALL_S = 3.0
SCREEN = {"rows": 32, "columns": 100, "rate": 1000, "seconds": 20}
SOON_S = 20
MIB = 1024 * 1024

# What is wanted, for each number that has a limit.
ALERT_S, SCREEN_SHARE = 0.005, 0.03


def first_of_all():
    """For the calling thread: before whatever else runs here. What stands for a link and for a clock waits for no program."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, PermissionError):
        pass  # measured all the same, and worse on a busy machine


class Watcher:
    """The program on the hearing end. A thread of ours notes when each line came."""

    def __init__(self, program, devices, *more):
        # A filter of two hundred addresses would be what is measured.
        words = [program, "-i", HEARS, "-d", ",".join(devices), "-f", "tcp", "--json", *more]
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), start_new_session=True)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.wait_until(lambda: self.lines, "the program did not start")
        self.cpu_before = cpu_of(self.child.pid)

    def read(self):
        first_of_all()
        for line in self.child.stdout:
            self.lines.append((time.time(), line))

    def wait_until(self, condition, complaint):
        deadline = time.monotonic() + SOON_S
        while not condition():
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{complaint}: {self.child.stderr.read().decode() if self.child.poll() is not None else ''}")
            time.sleep(0.02)

    def cpu(self):
        return cpu_of(self.child.pid) - self.cpu_before

    def stop(self):
        """As Ctrl-C does; every line as (when it came, event)."""
        self.peak = peak_of(self.child.pid)
        self.child.send_signal(signal.SIGINT)
        self.child.wait(SOON_S)
        self.reader.join(SOON_S)
        complaint = self.child.stderr.read().decode()
        if complaint:
            print(complaint, file=sys.stderr)
        return [(came, json.loads(line)) for came, line in self.lines]


def cpu_of(pid):
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send(sender, what, device, rate, seconds):
    # In a session of its own: a kernel that shares processors among sessions takes none of the program's for it.
    words = [sender, SENDS, what, device, str(rate), str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=first_of_all)


def sent_by(sending):
    said, _ = sending.communicate()
    if sending.returncode != 0:
        raise SystemExit(f"the sender ended with {sending.returncode}")
    return json.loads(said)


def flood(asked, what):
    colliding = [f"10.79.{nth >> 8}.{nth & 255}" for nth in range(1, COLLIDING_A_SECOND * asked.seconds + 20)]
    watcher = Watcher(asked.program, [FLOODED, *colliding])
    began = time.monotonic()
    flooding = send(asked.sender, what, FLOODED, asked.rate, asked.seconds)
    showing = send(asked.sender, "collide", colliding[0], COLLIDING_A_SECOND, asked.seconds)
    sent, shown = sent_by(flooding), sent_by(showing)
    took, cpu = time.monotonic() - began, watcher.cpu()
    time.sleep(1)
    told = watcher.stop()
    summary = told[-1][1]
    late = sorted(
        came - event["epoch"]
        for came, event in told
        if event["type"] == "alert" and event["phase"] == "raised" and event["rule"] in SHOWN
    )
    frames = sent["sent"] + shown["sent"]
    return {
        "what": what,
        "rate": sent["sent"] / sent["seconds"],
        "missed": sent["missed"],
        "frames": frames,
        "lost": frames - summary["frames"],
        "told_lost": summary["capture"]["dropped"],
        "cpu": cpu / took,
        "peak": watcher.peak,
        "late": late,
        "collisions": summary["findings"].get(SHOWN[0], 0),
    }


def silent(asked):
    watcher = Watcher(asked.program, [FLOODED], "--events", "segment")
    sent_by(send(asked.sender, "stall", FLOODED, 10, 2))
    time.sleep(APP_STALL_S + 1)
    told = watcher.stop()
    passed = {event["frame"]: event["epoch"] for _, event in told if event["type"] == "segment"}
    last = max(passed.values())
    late = []
    for came, event in told:
        if event["type"] == "finding" and event["rule"] == "app-stall":
            due = max(passed[frame] for frame in event["frames"]) + APP_STALL_S
            assert due > last, "the link was not silent"
            late.append(came - due)
    return sorted(late)


def screen(asked, rate):
    """The share of one processor that the program takes in a terminal."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", SCREEN["rows"], SCREEN["columns"], 0, 0))
    words = [asked.program, "-i", HEARS, "-d", FLOODED, "-f", "tcp"]
    child = subprocess.Popen(
        words,
        stdin=its,
        stdout=its,
        stderr=its,
        env={**environment(), "TERM": "xterm-256color"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(its)
    drawn = []

    def read():
        try:
            while octets := os.read(ours, 65536):
                drawn.append(octets)
        except OSError:
            pass  # the terminal's other end is closed

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    seconds = SCREEN["seconds"]
    sending = send(asked.sender, "small", FLOODED, rate, seconds + 4) if rate else None
    time.sleep(2)
    before, began = cpu_of(child.pid), time.monotonic()
    time.sleep(seconds)
    share = (cpu_of(child.pid) - before) / (time.monotonic() - began)
    if sending:
        sent_by(sending)
    child.send_signal(signal.SIGINT)
    child.wait(SOON_S)
    reader.join(SOON_S)
    text = b"".join(drawn)
    if FLOODED.encode() not in text and rate:
        raise SystemExit("the screen shows nothing of the device: it was not measured")
    return share, len(text) / (seconds + 4)


def percentile(numbers, share):
    return numbers[min(len(numbers) - 1, int(len(numbers) * share))] if numbers else float("nan")


def page(asked, floods, stalls, screens, quiet):
    lines = [
        f"Made by `make bench-live` on {time.strftime('%Y-%m-%d')}: {machine()}. {quiet.told()}",
        "",
        f"{asked.rate:,} frames a second for {asked.seconds} s:",
        "",
        "| frames | sent a second | sent | lost | said to be lost | CPU, of one | peak RSS, MiB | to the alert, ms: p50 | p99 | most | alerts |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    names = {"small": "60 octets", "full": "1514 octets", "syn": "random SYNs"}
    for one in floods:
        late = one["late"]
        most = late[-1] if late else float("nan")
        lines.append(
            f"| {names[one['what']]} | {one['rate']:,.0f} | {one['frames']:,} | {one['lost']:,} | {one['told_lost']:,} | {one['cpu']:.0%} "
            f"| {one['peak'] / MIB:.0f} | {1000 * percentile(late, 0.5):.1f} | {1000 * percentile(late, 0.99):.1f} "
            f"| {1000 * most:.1f} | {len(late)} |"
        )
    lost = sum(one["lost"] for one in floods)
    worst = max(percentile(one["late"], 0.99) for one in floods)
    (idle, _), (busy, octets) = screens
    lines += [
        "",
        "| wanted | measured | holds |",
        "| --- | --- | --- |",
        f"| the sender keeps the rate | {min(one['rate'] for one in floods):,.0f} a second at the least "
        f"| {yes(all(one['rate'] > 0.99 * asked.rate for one in floods))} |",
        f"| no loss | {lost:,} of {sum(one['frames'] for one in floods):,} | {yes(lost == 0)} |",
        f"| what was lost is told | {sum(one['told_lost'] for one in floods):,} told | {yes(all(one['told_lost'] == one['lost'] for one in floods))} |",
        f"| from the packet to the alert on stdout, p99 under {1000 * ALERT_S:.0f} ms | {1000 * worst:.1f} ms | {yes(worst < ALERT_S)} |",
        f"| a silent link fires its timers within the tick (200 ms) | {1000 * median(stalls):.0f} ms after they were due, "
        f"{1000 * stalls[-1]:.0f} ms at most, {len(stalls)} of them | {yes(stalls[-1] < 0.2)} |",
        f"| the screen at {SCREEN['rate']:,} packets a second takes at most {SCREEN_SHARE:.0%} of one processor | {busy:.1%} "
        f"({octets / 1000:.1f} kB/s drawn); {idle:.1%} where nothing comes | {yes(busy <= SCREEN_SHARE)} |",
    ]
    return "\n".join(lines)


def yes(holds):
    return "yes" if holds else "**no**"


def say(words):
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def make_pair():
    for words in (
        ["link", "add", SENDS, "type", "veth", "peer", "name", HEARS],
        ["link", "set", SENDS, "up"],
        ["link", "set", HEARS, "up"],
    ):
        subprocess.run(["ip", *words], check=True)


def main():
    asked = arguments()
    if not asked.inside:
        if not shutil.which("ip") or not shutil.which("unshare"):
            raise SystemExit("not run: it needs ip and unshare (Debian, Ubuntu: iproute2 util-linux)")
        apart = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
        os.execvp("unshare", ["unshare", *apart, sys.executable, *sys.argv, "--inside"])
    make_pair()
    quiet = Quiet()
    floods = []
    for what in ("small", "full", "syn"):
        say(f"{what}: {asked.rate:,} a second for {asked.seconds} s")
        floods.append(flood(asked, what))
        print(json.dumps({name: value for name, value in floods[-1].items() if name != "late"}), file=sys.stderr)
    say("a silent link")
    stalls = silent(asked)
    say("the screen")
    screens = [screen(asked, 0), screen(asked, SCREEN["rate"])]
    section = page(asked, floods, stalls, screens, quiet)
    write_section(asked.page, "live", section)
    print(section)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("sender")
    parser.add_argument("--rate", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--page", type=Path, default=Path("docs/performance.md"))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
