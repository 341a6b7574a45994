"""make bench: esp-tcpwatch beside the tools that read the same captures.

Makes its captures (`bench_traffic`), runs every tool that is installed on each of them in turn, several rounds, and writes ratios with
their spread into docs/performance.md. What is compared is user and system time, which other programs on the machine disturb less
than the clock on the wall; the two runs of a ratio follow each other within one round.

    compare.py PROGRAM TRAFFIC [--scale 0.1] [--rounds 5] [--page FILE] [--folder FOLDER] [--keep] [--only KIND,KIND]
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from measure import Quiet, machine, median, run, write_section

KINDS = ["many", "bulk", "synflood", "esp32"]
# How much larger the second capture of a kind is, by which the growth of time is seen. Bulk would fill the disk.
LARGER = {"many": 10, "bulk": 3, "synflood": 10, "esp32": 10}
# A tool that takes longer than this for one run is run in the first three rounds only.
LONG_S = 20
GIVE_UP_S = 300
MIB = 1024 * 1024

# At least so many times as fast as the peer.
FLOORS = {
    "tcpdump": {"many": 0.6, "bulk": 1.5, "esp32": 1.0, "synflood": 0.35},
    "tshark": {"many": 40, "bulk": 40, "esp32": 60, "synflood": 400},
    "softflowd": {"many": 5},
}
# Time may grow so many times as much as packets do.
GROWTH = 1.1
# What it may take of memory: so much, and so much for each flow, and all in all what --memory gives unless told otherwise.
FIXED_MIB, FLOW_OCTETS, BUDGET_MIB = 16, 256, 64


class Peer:
    """A tool beside which esp-tcpwatch is run: how, what Debian calls its package, and which arguments make it tell its version."""

    def __init__(self, name, package, words, version):
        self.name, self.package, self.words = name, package, words
        self.path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        self.version = self.ask(version) if self.path else f"not installed: apt-get install {package}"

    def ask(self, words):
        said = subprocess.run([self.path, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        found = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
        return found.group() if found else "of unknown version"

    def command(self, capture):
        return [self.path, *(word.replace("FILE", str(capture)) for word in self.words)]


def peers():
    return [
        Peer("tcpdump", "tcpdump", ["-r", "FILE", "-w", "/dev/null"], ["--version"]),
        Peer("softflowd", "softflowd", ["-d", "-r", "FILE", "-m", "6000000"], ["-h"]),
        Peer("argus", "argus-server", ["-X", "-r", "FILE", "-w", "/dev/null"], ["-h"]),
        Peer("tcptrace", "tcptrace", ["-n", "FILE"], ["-v"]),
        Peer("tshark", "tshark", ["-n", "-r", "FILE", "-q", "-z", "expert"], ["--version"]),
    ]


class Capture:
    """One capture on the disk, what is true of it, and what each tool took for it."""

    def __init__(self, traffic, folder, kind, scale):
        self.kind, self.scale = kind, scale
        self.path = folder / f"{kind}-{scale:g}.pcap"
        made = subprocess.run([traffic, kind, self.path, f"{scale:g}", "1"], check=True, capture_output=True, text=True)
        self.truth = json.loads(made.stdout)
        self.size = self.path.stat().st_size
        self.runs = {}
        # From memory and not from the disk: that is what every tool gets.
        with self.path.open("rb") as octets:
            while octets.read(MIB):
                pass

    @property
    def packets(self):
        return self.truth["packets"]

    def ours(self, program):
        return [program, "-r", str(self.path), "--json", "-d", ",".join(self.truth["devices"])]

    def told(self, program):
        """What is told of it: the summary. Not timed."""
        said = run(self.ours(program), keep_output=True)
        summary = json.loads(said.output.splitlines()[-1])
        assert summary["type"] == "summary" and summary["frames"] == self.packets, summary
        return summary

    def compare(self, commands, rounds):
        failed = set()
        for nth in range(rounds):
            # Turned round each time, so that nobody always comes after the same.
            for name, command in commands if nth % 2 == 0 else reversed(commands):
                runs = self.runs.setdefault(name, [])
                if name in failed or nth >= 3 and runs and runs[0].cpu > LONG_S:
                    continue
                done = run(command, most_cpu=GIVE_UP_S)
                if done.code not in ((0, 1) if name == "esp-tcpwatch" else (0,)):
                    print(f"  {name} ended with {done.code}: {' '.join(command)}\n{done.complaint}", file=sys.stderr)
                    runs.clear()
                    failed.add(name)
                else:
                    runs.append(done)

    def ratios(self, peer):
        """How many times as fast as `peer`, in each round that both had."""
        pairs = zip(self.runs.get("esp-tcpwatch", []), self.runs.get(peer, []))
        return [theirs.cpu / ours.cpu for ours, theirs in pairs]

    def cpu(self, name):
        return median([done.cpu for done in self.runs[name]])

    def forget(self):
        self.path.unlink()


def main():
    asked = arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    try:
        compare(asked)
    finally:
        if not asked.keep:
            for capture in asked.folder.glob("*.pcap"):
                capture.unlink()


def compare(asked):
    known = peers()
    quiet = Quiet()
    ours = version(asked.program)
    small, large, told = {}, {}, {}
    for kind in asked.only:
        say(f"{kind}: making {asked.scale:g} of it")
        capture = small[kind] = Capture(asked.traffic, asked.folder, kind, asked.scale)
        told[kind] = capture.told(asked.program)
        commands = [("esp-tcpwatch", capture.ours(asked.program))]
        commands += [(peer.name, peer.command(capture.path)) for peer in known if peer.path]
        say(f"{kind}: {capture.packets} packets, {len(commands)} tools, {asked.rounds} rounds")
        capture.compare(commands, asked.rounds)

        larger = asked.scale * LARGER[kind]
        say(f"{kind}: making {larger:g} of it")
        capture = large[kind] = Capture(asked.traffic, asked.folder, kind, larger)
        told[kind, "large"] = capture.told(asked.program)
        quick = [peer for peer in known if peer.path and (peer.name == "tcpdump" or (peer.name, kind) == ("softflowd", "many"))]
        commands = [("esp-tcpwatch", capture.ours(asked.program))]
        commands += [(peer.name, peer.command(capture.path)) for peer in quick]
        say(f"{kind}: {capture.packets} packets, {len(commands)} tools, {asked.rounds} rounds")
        capture.compare(commands, asked.rounds)
        for capture in (small[kind], large[kind]):
            if not asked.keep:
                capture.forget()

    say("flooded: what is told of the devices while one of them is flooded")
    flooded = Capture(asked.traffic, asked.folder, "flooded", asked.scale)
    told["flooded"] = flooded.told(asked.program)
    flooded.compare([("esp-tcpwatch", flooded.ours(asked.program))], asked.rounds)
    if not asked.keep:
        flooded.forget()

    keep_samples(asked.folder / "compare.json", [*small.values(), *large.values(), flooded])
    section = page(asked, ours, known, quiet, small, large, flooded, told)
    write_section(asked.page, "bench", section)
    say(f"written to {asked.page}; every sample is in {asked.folder / 'compare.json'}")
    print(section)


def page(asked, ours, known, quiet, small, large, flooded, told):
    """What `make bench` writes: Markdown."""
    lines = [
        f"Made by `make bench SCALE={asked.scale:g}` on {time.strftime('%Y-%m-%d')}: {machine()}. {quiet.told()}",
        "",
        "| tool | version |",
        "| --- | --- |",
        f"| esp-tcpwatch | {ours} |",
        *(f"| {peer.name} | {peer.version} |" for peer in known),
        "",
        "### How many times as fast",
        "",
        "User and system time of the peer through that of esp-tcpwatch, the median of all rounds with the least and the most in "
        "brackets. More than 1: esp-tcpwatch took less.",
        "",
        "| capture | packets | peer | ratio | floor | holds |",
        "| --- | ---: | --- | ---: | ---: | --- |",
    ]
    for peer in known:
        for kind in small:
            captures = [large[kind], small[kind]] if large[kind].runs.get(peer.name) else [small[kind]]
            # A floor is judged on the larger capture, where there is a run of it: the start of a program counts for less there.
            for capture, is_judged in zip(captures, (True, False)):
                floor = FLOORS.get(peer.name, {}).get(kind) if is_judged else None
                lines.append(ratio_row(capture, peer, floor))
    lines += ["", "### What each took", "", "| capture | packets | tool | packets/s | CPU s | peak RSS, MiB | runs |"]
    lines.append("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    for capture in [*small.values(), *large.values(), flooded]:
        for name, runs in capture.runs.items():
            if runs:
                lines.append(taken_row(capture, name, runs))
    lines += ["", "### Memory", "", memory_words(), ""]
    lines += ["| capture | flows | peak RSS, MiB | may be, MiB | holds |", "| --- | ---: | ---: | ---: | --- |"]
    for capture, summary in memory_of(small, large, flooded, told):
        lines.append(memory_row(capture, summary))
    lines += ["", "### Growth", "", f"Ten times the packets may take {GROWTH * 10:g} times the time: the last number is at most {GROWTH}.", ""]
    lines += ["| capture | packets | times the packets | times the CPU | growth | holds |", "| --- | --- | ---: | ---: | ---: | --- |"]
    lines += [growth_row(small[kind], large[kind]) for kind in small]
    lines += ["", "### What was made is what is told", ""]
    lines += ["| capture | rule | made | told | |", "| --- | --- | ---: | ---: | --- |"]
    for capture, summary in truth_of(small, large, flooded, told):
        for rule, key in (("time-wait-collision", "collisions"), ("ignored-rst", "ignored_rsts")):
            made, found = capture.truth[key], summary["findings"].get(rule, 0)
            lines.append(f"| {title(capture)} | {rule} | {made} | {found} | {'equal' if made == found else '**differs**'} |")
    return "\n".join(lines)


def ratio_row(capture, peer, floor):
    ratios = capture.ratios(peer.name)
    if not ratios:
        reason = f"it failed, or took more than {GIVE_UP_S} s" if peer.path else "not installed"
        return f"| {title(capture)} | {capture.packets:,} | {peer.name} | {reason} | {floor or ''} | |"
    verdict = "" if floor is None else "yes" if median(ratios) >= floor else "**no**"
    spread = f"{short(median(ratios))} ({short(min(ratios))}–{short(max(ratios))})"
    return f"| {title(capture)} | {capture.packets:,} | {peer.name} | {spread} | {floor or ''} | {verdict} |"


def taken_row(capture, name, runs):
    cpu = capture.cpu(name)
    peak = max(done.peak for done in runs) / MIB
    rate = capture.packets / cpu
    return f"| {title(capture)} | {capture.packets:,} | {name} | {rounded(rate)} | {cpu:.3f} | {peak:.0f} | {len(runs)} |"


def memory_words():
    return (
        f"At most {FIXED_MIB} MiB, and {FLOW_OCTETS} octets for each connection of the capture (all of them are kept while there is room), "
        f"and never more than {BUDGET_MIB} MiB, which is what `--memory` gives unless told otherwise."
    )


def memory_of(small, large, flooded, told):
    for kind in small:
        yield small[kind], told[kind]
        yield large[kind], told[kind, "large"]
    yield flooded, told["flooded"]


def memory_row(capture, summary):
    most = min(FIXED_MIB + summary["flows"] * FLOW_OCTETS / MIB, BUDGET_MIB)
    peak = max(done.peak for done in capture.runs["esp-tcpwatch"]) / MIB
    return f"| {title(capture)} | {summary['flows']:,} | {peak:.1f} | {most:.1f} | {'yes' if peak <= most else '**no**'} |"


def growth_row(small, large):
    packets, cpu = large.packets / small.packets, large.cpu("esp-tcpwatch") / small.cpu("esp-tcpwatch")
    holds = "yes" if cpu / packets <= GROWTH else "**no**"
    return f"| {small.kind} | {small.packets:,} and {large.packets:,} | {packets:.2f} | {cpu:.2f} | {cpu / packets:.2f} | {holds} |"


def truth_of(small, large, flooded, told):
    if "esp32" in small:
        yield small["esp32"], told["esp32"]
        yield large["esp32"], told["esp32", "large"]
    yield flooded, told["flooded"]


def title(capture):
    return f"{capture.kind} {capture.scale:g}"


def short(ratio):
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"


def rounded(rate):
    return f"{rate / 1e6:.2f} M" if rate >= 1e6 else f"{rate / 1e3:.0f} k"


def version(program):
    rust = said("rustc", "--version").split()
    commit = said("git", "rev-parse", "--short", "HEAD")
    changes = " and changes" if said("git", "status", "--porcelain", "src", "Cargo.lock") else ""
    words = [said(program, "--version").split()[-1], f"commit {commit}{changes}" if commit else "", f"rustc {rust[1]}" if rust else ""]
    return ", ".join(word for word in words if word)


def said(*words):
    """What a program says; nothing where there is none."""
    try:
        return subprocess.run(words, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def keep_samples(path, captures):
    samples = []
    for capture in captures:
        for name, runs in capture.runs.items():
            samples += [{"capture": capture.kind, "scale": capture.scale, "packets": capture.packets, "tool": name, **done.sample()} for done in runs]
    path.write_text(json.dumps(samples, indent=1))


def say(words):
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("traffic")
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", type=Path, default=Path("docs/performance.md"))
    parser.add_argument("--folder", type=Path, default=Path("target/bench"))
    parser.add_argument("--keep", action="store_true", help="leave the captures")
    parser.add_argument("--only", type=lambda words: words.split(","), default=KINDS, help="of these kinds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
