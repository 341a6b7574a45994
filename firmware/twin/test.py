"""The twin's tests: what it answers, counts and survives, judged from the wire and from outside.

Knows: the command line, the control protocol, and TCP as an AF_PACKET socket sees it.
Refuses to know: the source. Runs inside a network namespace of its own (see test.sh).
"""
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import protocol_tests as protocol

TWIN = sys.argv[1]
DEVICE, HOST, DEVICE6, HOST6 = "10.77.0.2", "10.77.0.1", "fd77::2", "fd77::1"
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000


def open_tap(name, flags=IFF_TAP | IFF_NO_PI):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    return fd


class Wire:
    """Every TCP segment between host and device, in order."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((interface, 0))
        self.segments = []

    def read(self):
        while select.select([self.socket], [], [], 0)[0]:
            frame = self.socket.recv(65536)
            kind = struct.unpack("!H", frame[12:14])[0]
            if kind == 0x0800 and frame[23] == 6:
                ip, length = frame[14:], struct.unpack("!H", frame[16:18])[0]
                tcp, src = ip[(ip[0] & 15) * 4:length], socket.inet_ntoa(ip[12:16])
            elif kind == 0x86DD and frame[20] == 6:
                length = struct.unpack("!H", frame[18:20])[0]
                tcp, src = frame[54:54 + length], socket.inet_ntop(socket.AF_INET6, frame[22:38])
            else:
                continue
            sport, dport, seq, ack, off, flags, window = struct.unpack("!HHIIBBH", tcp[:16])
            out = src in (DEVICE, DEVICE6)
            self.segments.append(dict(
                out=out, port=dport if out else sport, seq=seq, ack=ack, flags=flags & 31,
                len=len(tcp) - (off >> 4) * 4, window=window))
        return self.segments

    def of(self, port):
        time.sleep(0.03)
        return [s for s in self.read() if s["port"] == port]

    def account(self, port):
        """Collisions and RSTs on one tuple: SYNs answered by a pure ACK of something else."""
        segments, pending, stale, rsts, resets = self.of(port), None, 0, 0, 0
        for s in segments:
            if not s["out"] and s["flags"] == SYN:
                pending = s
            elif not s["out"] and s["flags"] & RST:
                rsts += 1
            elif s["out"] and pending:
                if s["flags"] == ACK and s["len"] == 0 and s["ack"] != (pending["seq"] + 1) & 0xFFFFFFFF:
                    stale += 1
                resets += bool(s["flags"] & RST)
                pending = None
        return dict(stale=stale, rsts=rsts, resets=resets)


class Device:
    """One run of the twin on a TAP of its own."""
    asked = 100  # ids of requests that must not be taken for retries

    def __init__(self, *options):
        self.tap = open_tap("tap0")
        for command in ("addr add %s/24 dev tap0" % HOST, "addr add %s/64 dev tap0 nodad" % HOST6,
                        "link set tap0 up"):
            subprocess.run(["ip", *command.split()], check=True)
        self.wire = Wire("tap0")
        self.process = subprocess.Popen(
            [TWIN, "--tap-fd", str(self.tap), "--ip", DEVICE, "--gateway", HOST, "--ip6", DEVICE6,
             "--seed", "1", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[self.tap])
        self.ready = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "none: still there 10 s after its lifeline was cut"
        os.close(self.tap)
        self.wire.socket.close()
        assert code == 0, "the twin's exit code: %s" % code

    def ask(self, request, address=DEVICE, tries=5, wait=0.5):
        datagram = request if isinstance(request, bytes) else json.dumps(request).encode()
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as u:
            u.settimeout(wait)
            u.connect((address, 7777))
            for _ in range(tries):
                u.send(datagram)
                try:
                    reply = u.recv(4096)
                except TimeoutError:
                    continue
                assert len(reply) < 1400, "a reply of %d octets" % len(reply)
                return json.loads(reply)
        raise TimeoutError("no reply to %r" % datagram[:80])

    def status(self):
        return self.ask({"v": 1, "id": 1, "op": "status"})["status"]

    def pcbs(self):
        """The whole list, page by page: (what stands over it, the blocks)."""
        Device.asked += 1
        page = self.ask({"v": 1, "id": Device.asked, "op": "pcbs"})["pcbs"]
        blocks = list(page["list"])
        while page["next"] is not None:
            assert page["next"] == len(blocks) and page["list"], page
            Device.asked += 1
            page = self.ask({"v": 1, "id": Device.asked, "op": "pcbs", "snapshot": page["snapshot"],
                             "from": page["next"]})["pcbs"]
            same("where the page begins", page["from"], len(blocks))
            blocks += page["list"]
        return page, blocks

    def fault(self, **faults):
        reply = self.ask({"v": 1, "id": 2, "op": "fault", "set": faults})
        assert reply["ok"], reply
        time.sleep(0.06)
        return reply["faults"]


def get(port=0, path="/", address=DEVICE, timeout=3.0, close="server", read_timeout=3.0):
    """One request; returns (seconds to connect, octets of the answer)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port:
            s.bind((HOST6 if ":" in address else HOST, port))
        s.settimeout(timeout)
        began = time.monotonic()
        s.connect((address, 80))
        connected = time.monotonic() - began
        s.settimeout(read_timeout)
        s.send(b"GET %s HTTP/1.1\r\nHost: twin\r\n\r\n" % path.encode())
        data = b""
        while True:
            piece = s.recv(65536)
            data += piece
            if not piece or (close != "server" and b"tcpwatch\n" in data):
                break
        assert data.startswith(b"HTTP/1.1 200 OK\r\n"), data[:60]
        return connected, len(data)


def reuse(port, gap=0.05, **how):
    """Twice from one port: the second connect's seconds, None when it failed."""
    get(port, **how)
    time.sleep(gap)
    try:
        return get(port, timeout=1.5, **how)[0]
    except TimeoutError:
        return None


def same(what, is_, should):
    assert is_ == should, "%s: is %r, should be %r" % (what, is_, should)


# --- the tests ---------------------------------------------------------------------------------

def test_unfixed_refuses_a_reused_port_and_counts_what_the_wire_shows():
    with Device() as d:
        same("ready", d.ready, {"ready": True, "stack": "lwIP 2.2.1", "ip": DEVICE, "ip6": DEVICE6,
                                "mac": "24:0a:c4:77:00:02"})
        same("second connect", reuse(40000), None)
        wire = d.wire.account(40000)
        segments = d.wire.of(40000)
        stale = [s for s in segments if s["out"] and s["flags"] == ACK and s["len"] == 0][-1]
        resets = [s for s in segments if not s["out"] and s["flags"] == RST]
        assert all(r["seq"] == stale["ack"] for r in resets), (stale, resets)
        status = d.status()
        same("mode", (status["mode"], status["remedies"]), ("unfixed", {
            "msl_ms": 60000, "rst_in_time_wait": "ignore", "syn_in_time_wait": "refuse",
            "close": "server-first", "pcb_cap": 0}))
        assert wire["stale"] >= 2 and wire["resets"] == 0, wire
        same("SYNs and RSTs", (status["time_wait"]["syns"], status["time_wait"]["rsts"]),
             (wire["stale"], wire["rsts"]))
        same("TIME-WAITs", status["pcbs"]["time_wait"], 1)
        handshake = [s for s in segments if s["flags"] == SYN | ACK][0]
        same("window", handshake["window"], 5744)


def test_fifty_reused_ports_are_counted_alike_by_device_and_wire():
    with Device() as d:
        threads = []
        for port in range(41000, 41050):
            get(port)
        time.sleep(0.05)
        for port in range(41000, 41050):
            def again(port=port):
                try:
                    get(port, timeout=1.3)
                except TimeoutError:
                    pass
            threads.append(threading.Thread(target=again))
            threads[-1].start()
        for t in threads:
            t.join()
        time.sleep(0.1)
        status = d.status()
        d.wire.read()
        stale = sum(d.wire.account(p)["stale"] for p in range(41000, 41050))
        rsts = sum(d.wire.account(p)["rsts"] for p in range(41000, 41050))
        counted = status["time_wait"]
        in_window = counted["syns_in_window"]
        same("SYNs and RSTs", (counted["syns"] - in_window, counted["rsts"]), (stale, rsts))
        assert stale >= 100, stale
        same("TIME-WAITs held", status["pcbs"]["time_wait"], 50)
        same("served", status["http"], {"accepted": 50, "served": 50, "errors": 0})


def test_fixed_accepts_at_once():
    with Device("--mode", "fixed") as d:
        same("mode", d.status()["mode"], "fixed")
        connected = reuse(40000)
        assert connected is not None and connected < 0.1, connected
        same("wire", d.wire.account(40000), dict(stale=0, rsts=0, resets=0))
        counted = d.status()["time_wait"]
        same("accepted", (counted["syns"], counted["syns_accepted"]), (1, 1))


def test_accepting_syns_alone():
    with Device("--syn-in-time-wait", "accept") as d:
        for _ in range(5):
            assert reuse(40000) < 0.1
            time.sleep(0.05)  # this host's LAST_ACK has the tuple until our FIN is acknowledged
        counted = d.status()["time_wait"]
        same("accepted", (counted["syns"], counted["syns_accepted"], counted["rsts"]), (9, 9, 0))
        isns = [s["seq"] for s in d.wire.of(40000) if s["flags"] == SYN | ACK]
        assert all((b - a) & 0xFFFFFFFF < 1 << 31 for a, b in zip(isns, isns[1:])), isns
        same("mode", d.status()["mode"], "custom")


def test_accepting_syns_over_ipv6():
    with Device("--syn-in-time-wait", "accept") as d:
        assert reuse(40000, address=DEVICE6) < 0.1
        same("accepted", d.status()["time_wait"]["syns_accepted"], 1)


def test_honouring_rsts_alone():
    with Device("--rst-in-time-wait", "honour") as d:
        connected = reuse(40000)
        assert connected is not None and connected < 0.3, connected
        same("wire", d.wire.account(40000), dict(stale=1, rsts=1, resets=0))
        counted = d.status()["time_wait"]
        same("counted", (counted["syns"], counted["rsts"], counted["rsts_honoured"]), (1, 1, 1))


def raw_segment(port, seq, flags, ack=0):
    """One forged segment from the host's address, past the host's own TCP."""
    tcp = struct.pack("!HHIIBBHHH", port, 80, seq, ack, 5 << 4, flags, 64240, 0, 0)
    pseudo = socket.inet_aton(HOST) + socket.inet_aton(DEVICE) + struct.pack("!BBH", 0, 6, len(tcp))
    total = sum(struct.unpack("!%dH" % (len(pseudo + tcp) // 2), pseudo + tcp))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as s:
        s.sendto(tcp[:16] + struct.pack("!H", checksum) + tcp[18:], (DEVICE, 0))


def test_only_the_exact_rst_and_only_a_newer_syn():
    # The kernel answers the device's ACK to a forged SYN by a RST of its own, whose number is exact:
    # so RST forgeries and SYN forgeries are tried on separate devices.
    with Device("--rst-in-time-wait", "honour") as d:
        get(40000)
        rcv_nxt = [s for s in d.wire.of(40000) if s["out"]][-1]["ack"]
        for off in (-1, 1, 1000, 5000, 1 << 31):
            raw_segment(40000, (rcv_nxt + off) & 0xFFFFFFFF, RST)
        time.sleep(0.05)
        status = d.status()
        same("held", (status["pcbs"]["time_wait"], status["time_wait"]["rsts"],
                      status["time_wait"]["rsts_honoured"]), (1, 5, 0))
        raw_segment(40000, rcv_nxt, RST)
        time.sleep(0.05)
        status = d.status()
        same("gone", (status["pcbs"]["time_wait"], status["time_wait"]["rsts_honoured"]), (0, 1))
    with Device("--syn-in-time-wait", "accept") as d:
        get(40000)
        rcv_nxt = [s for s in d.wire.of(40000) if s["out"]][-1]["ack"]
        for off in (0, -1, -100000):
            raw_segment(40000, (rcv_nxt + off) & 0xFFFFFFFF, SYN)
        time.sleep(0.05)
        counted = d.status()["time_wait"]
        same("older", (counted["syns"], counted["syns_in_window"], counted["syns_accepted"]), (3, 1, 0))
        raw_segment(40000, (rcv_nxt + 1) & 0xFFFFFFFF, SYN)
        time.sleep(0.05)
        same("newer", d.status()["time_wait"]["syns_accepted"], 1)


def test_a_syn_in_the_old_window_is_reset():
    with Device() as d:
        get(40000)
        segments = d.wire.of(40000)
        last = [s for s in segments if s["out"]][-1]
        edges = (0, last["window"], last["window"] + 1, -1)
        for off in edges:
            raw_segment(40000, (last["ack"] + off) & 0xFFFFFFFF, SYN)
            time.sleep(0.03)
        answers = [s for s in d.wire.of(40000)[len(segments):] if s["out"]]
        print("    edges of the window %d (last announced %d): %s" % (
            last["window"], last["window"], [(o, "RST" if a["flags"] & RST else "ACK") for o, a in zip(edges, answers)]))
        counted = d.status()["time_wait"]
        same("answers", counted["syns_in_window"], sum(1 for a in answers if a["flags"] & RST))
        same("still held", d.status()["pcbs"]["time_wait"], 1)


def test_a_short_msl_ends_the_refusals():
    with Device("--msl-ms", "1000") as d:
        get(40000)
        began = time.monotonic()
        while d.status()["pcbs"]["time_wait"] == 1:
            assert time.monotonic() - began < 4
            time.sleep(0.05)
        held = time.monotonic() - began
        print("    TIME-WAIT held %.2f s at an MSL of 1 s" % held)
        assert 1.9 <= held <= 3.1, held
        get(40000)


def test_the_cap_evicts_the_oldest():
    with Device("--pcb-cap", "12") as d:
        for port in range(42000, 42030):
            get(port)
        status = d.status()
        same("held", status["pcbs"]["time_wait"], 12)
        same("evicted", status["time_wait"]["evicted"], 18)
        assert get(42000, timeout=1)[0] < 0.1
        try:
            get(42029, timeout=0.5)
            raise AssertionError("the newest tuple should still collide")
        except TimeoutError:
            pass
    with Device("--pcb-cap", "2") as d:
        idle = [socket.create_connection((DEVICE, 80), 1) for _ in range(2)]
        try:
            socket.create_connection((DEVICE, 80), 0.4)
            raise AssertionError("a third connection should find no room")
        except TimeoutError:
            pass
        assert d.status()["time_wait"]["dropped_at_cap"] >= 1
        for s in idle:
            s.close()


def test_the_list_of_blocks_is_what_status_counts():
    with Device() as d:
        idle = socket.create_connection((DEVICE, 80), 1)
        get(42000)
        get(42001, address=DEVICE6)
        time.sleep(0.05)
        head, blocks = d.pcbs()
        counted = d.status()["pcbs"]
        for state, number in counted.items():
            same(state, sum(b["state"] == state for b in blocks), number)
        same("head", (head["total"], head["kept"], head["tick_ms"], head["msl_ms"], head["pcb_cap"], head["evicted"]),
             (4, 4, 500, 60000, 0, 0))
        held = {b["remote"]: b for b in blocks if b["state"] == "time_wait"}
        same("held", {r: b["local"] for r, b in held.items()},
             {"%s:42000" % HOST: "%s:80" % DEVICE, "[%s]:42001" % HOST6: "[%s]:80" % DEVICE6})
        for b in held.values():
            same("left and age", b["left_ms"] + b["age_ms"], 120000)
            assert b["age_ms"] <= 1000, b
        listening = [b for b in blocks if b["state"] == "listen"][0]
        same("listener", (listening["local"].endswith(":80"), "remote" in listening), (True, False))
        live = [b for b in blocks if b["state"] == "established"][0]
        same("live", (live["remote"], "left_ms" in live), ("%s:%d" % idle.getsockname(), False))
        idle.close()


def test_a_long_list_is_one_instant_however_many_pages():
    with Device() as d:
        for port in range(42000, 42120):
            get(port)
        first = d.ask({"v": 1, "id": 1, "op": "pcbs"})["pcbs"]
        assert first["next"] is not None and first["total"] == 121, first
        get(43000)  # the list of before does not see it
        rest = first
        seen = list(first["list"])
        pages = 1
        while rest["next"] is not None:
            again = {"v": 1, "id": 1 + pages, "op": "pcbs", "snapshot": first["snapshot"], "from": rest["next"]}
            rest, twice = d.ask(again)["pcbs"], d.ask(again)["pcbs"]
            same("a page asked for twice", twice, rest)
            seen += rest["list"]
            pages += 1
        print("    121 blocks on %d pages" % pages)
        remotes = [b.get("remote") for b in seen]
        same("blocks", (len(seen), len(set(remotes)), "%s:43000" % HOST in remotes), (121, 121, False))
        same("uptime", rest["uptime_ms"], first["uptime_ms"])
        # a retry is given the same list, another request a new one, and then the old one is gone
        same("a retry", d.ask({"v": 1, "id": 1, "op": "pcbs"})["pcbs"], first)
        newer = d.ask({"v": 1, "id": 90, "op": "pcbs"})["pcbs"]
        same("newer", (newer["total"], newer["snapshot"] != first["snapshot"]), (122, True))
        gone = d.ask({"v": 1, "id": 91, "op": "pcbs", "snapshot": first["snapshot"], "from": 1})
        same("the one before", (gone["ok"], gone["error"]), (False, "snapshot-gone"))
        beyond = d.ask({"v": 1, "id": 92, "op": "pcbs", "snapshot": newer["snapshot"], "from": 123})
        same("beyond the end", beyond["error"], "out-of-range")
        end = d.ask({"v": 1, "id": 93, "op": "pcbs", "snapshot": newer["snapshot"], "from": 122})["pcbs"]
        same("the end itself", (end["list"], end["next"]), ([], None))
        time.sleep(5.1)
        late = d.ask({"v": 1, "id": 94, "op": "pcbs", "snapshot": newer["snapshot"], "from": 1})
        same("five seconds later", late["error"], "snapshot-gone")
        before = first["uptime_ms"]
        assert before < d.ask({"v": 1, "id": 1, "op": "pcbs"})["pcbs"]["uptime_ms"]


def test_what_is_left_of_time_wait_is_told_to_the_tick():
    with Device("--msl-ms", "1100") as d:  # 2.2 s: lwIP counts four ticks of these
        get(42000)
        began, told = time.monotonic(), []
        while True:
            asked = time.monotonic()
            held = [b for b in d.pcbs()[1] if b["state"] == "time_wait"]
            if not held:
                break
            told.append((asked, held[0]["left_ms"] / 1000, held[0]["age_ms"] / 1000))
            time.sleep(0.02)
        gone = asked
        same("whole ticks", {(left + age) for _, left, age in told}, {2.0, 2.5} if told[-1][2] > 2 else {2.0})
        for asked, left, age in told:
            assert left - 0.05 <= gone - asked <= left + 0.5 + 0.1, (left, gone - asked)
            assert age - 0.5 - 0.05 <= asked - began <= age + 0.5 + 0.1, (age, asked - began)


def test_each_start_has_its_own_number():
    boots = []
    for _ in range(2):
        with Device() as d:
            status = d.status()
            boots.append(status["boot"])
            same("heap", status["heap"], None)
            same("boot twice", d.status()["boot"], boots[-1])
            same("no count is kept", status["boots"], None)
    assert boots[0] != boots[1], boots


def test_the_count_of_starts_is_the_one_it_was_given():
    for given in ("1", "4294967295"):
        with Device("--boots", given) as d:
            same("boots", d.status()["boots"], int(given))


def test_keep_alive_holds_one_connection():
    with Device("--close", "keep-alive") as d:
        with socket.create_connection((DEVICE, 80), 1) as s:
            for _ in range(3):
                s.send(b"GET / HTTP/1.1\r\n\r\n")
                data = b""
                while b"tcpwatch\n" not in data:
                    data += s.recv(4096)
                assert b"Connection: keep-alive" in data
            s.send(b"GET / HTTP/1.1\r\n\r\nGET /big?3000 HTTP/1.1\r\n\r\n")
            data = b""
            while data.count(b"\r\n\r\n") < 2 or len(data.split(b"\r\n\r\n")[2]) < 3000:
                data += s.recv(4096)
            same("established", d.status()["pcbs"]["established"], 1)
        time.sleep(0.2)
        status = d.status()
        same("then", (status["pcbs"]["time_wait"], status["http"]),
             (0, {"accepted": 1, "served": 5, "errors": 0}))


def test_client_first_leaves_the_device_no_time_wait():
    with Device("--close", "client-first") as d:
        for port in range(42000, 42003):
            get(port, close="client")
        time.sleep(0.2)
        status = d.status()
        same("PCBs", (status["pcbs"]["time_wait"], status["pcbs"]["last_ack"]), (0, 0))
        fins = [s["out"] for s in d.wire.of(42000) if s["flags"] & FIN]
        same("FINs, host first", fins, [False, True])


def test_reset_close_sends_a_rst():
    with Device("--close", "reset") as d:
        for port in range(42000, 42010):
            try:
                get(port)
            except ConnectionResetError:
                pass
            ends = [s["flags"] & (RST | FIN) for s in d.wire.of(port) if s["out"]]
            assert RST in ends and FIN not in ends, d.wire.of(port)
        same("served", d.status()["http"], {"accepted": 10, "served": 10, "errors": 0})
        same("TIME-WAITs", d.status()["pcbs"]["time_wait"], 0)


def test_ipv6_refuses_alike():
    with Device() as d:
        same("second connect", reuse(40000, address=DEVICE6), None)
        wire, counted = d.wire.account(40000), d.status()["time_wait"]
        same("SYNs and RSTs", (counted["syns"], counted["rsts"]), (wire["stale"], wire["rsts"]))
        assert wire["stale"] >= 2
        same("control", d.ask({"v": 1, "id": 5, "op": "status"}, DEVICE6)["id"], 5)
        index = socket.if_nametoindex("tap0")
        time.sleep(2)  # duplicate address detection of the link-local address
        with socket.socket(socket.AF_INET6) as s:
            s.settimeout(3)
            s.connect(("fe80::260a:c4ff:fe77:2", 80, 0, index))


def test_big_answers_and_the_window():
    with Device() as d:
        assert get(path="/big?1000000")[1] > 1000000
        with socket.create_connection((DEVICE, 80), 1) as s:
            s.settimeout(0.4)
            s.send(b"GET /stall HTTP/1.1\r\n\r\n")
            try:
                s.recv(1)
                raise AssertionError("an answer to /stall")
            except TimeoutError:
                pass
        with socket.create_connection((DEVICE, 80), 1) as s:  # a browser's long head
            s.send(b"GET / HTTP/1.1\r\nCookie: " + b"x" * 5000 + b"\r\n\r\n")
            s.settimeout(2)
            assert s.recv(100).startswith(b"HTTP/1.1 200")


def test_faults():
    with Device() as d:
        d.fault(stall_ms=300)
        began = time.monotonic()
        get()
        assert 0.25 < time.monotonic() - began < 0.6
        same("in force", d.fault(stall_ms=0)["stall_ms"], 0)

        d.fault(leak_ms=60000)
        with socket.create_connection((DEVICE, 80), 1) as s:
            s.send(b"GET / HTTP/1.1\r\n\r\n")
            s.settimeout(1)
            s.recv(500)
            s.shutdown(socket.SHUT_WR)
            time.sleep(0.1)
            same("leaked", d.status()["pcbs"]["close_wait"], 1)
            d.fault(leak_ms=0)
            time.sleep(0.1)
            same("lifted", d.status()["pcbs"]["close_wait"], 0)

        d.fault(no_read_ms=60000)
        with socket.create_connection((DEVICE, 80), 1) as s:
            s.settimeout(0.3)
            try:
                while True:
                    s.send(b"x" * 1000)
            except TimeoutError:
                pass
            time.sleep(0.3)
            assert any(x["out"] and x["window"] == 0 and not x["flags"] & RST for x in d.wire.of(s.getsockname()[1]))
            d.fault(no_read_ms=0)
        time.sleep(0.1)

        d.fault(no_accept=True, backlog=1)
        waiting = [socket.socket() for _ in range(4)]
        for s in waiting:
            s.setblocking(False)
            s.connect_ex((DEVICE, 80))
        time.sleep(0.3)
        state = d.status()["pcbs"]
        print("    backlog 1, not accepting: established %(established)d, syn_received %(syn_received)d" % state)
        assert state["established"] + state["syn_received"] <= 2, state
        for s in waiting:
            s.close()
        d.fault(no_accept=False, backlog=5)
        time.sleep(1.2)
        get()

        d.fault(link_down_ms=700)
        began = time.monotonic()
        d.ask({"v": 1, "id": 3, "op": "status"}, wait=0.1, tries=30)
        assert 0.4 < time.monotonic() - began < 1.5
        d.ask({"v": 1, "id": 4, "op": "fault", "set": {"loss_in_permille": 100, "loss_out_permille": 100}})
        for _ in range(5):
            get(timeout=20, read_timeout=30)
        d.ask({"v": 1, "id": 4, "op": "fault", "set": {"loss_in_permille": 0, "loss_out_permille": 0}}, tries=30)


def test_errors_are_named():
    with Device():
        protocol.errors_are_named(protocol.Channel(DEVICE))


KEY = bytes(range(32))


class KeyFile:
    """The owner's key where the twin can read it."""

    def __enter__(self):
        self.file = tempfile.NamedTemporaryFile("w")
        self.file.write(KEY.hex() + "\n")
        self.file.flush()
        return self.file.name

    def __exit__(self, *_):
        self.file.close()


def test_ten_thousand_strange_datagrams_change_nothing():
    with KeyFile() as key, Device("--key-file", key):
        protocol.ten_thousand_strange_datagrams_change_nothing(protocol.Channel(DEVICE, key=KEY))
        get()


def test_the_protocol_of_changes():
    for test in (protocol.a_signed_change_is_taken_once, protocol.what_is_not_signed_by_the_owner_changes_nothing,
                 protocol.remedies_are_taken_all_or_none, protocol.tries_and_changes_are_counted):
        print("    %s" % test.__name__)
        with KeyFile() as key, Device("--key-file", key):
            test(protocol.Channel(DEVICE, key=KEY))
    with KeyFile() as key, Device("--key-file", key):
        subprocess.run(["ip", "addr", "add", "10.77.0.9/24", "dev", "tap0"], check=True)
        protocol.a_nonce_is_for_one_address(protocol.Channel(DEVICE, key=KEY), "10.77.0.9")
    with Device():
        protocol.a_device_without_a_key_is_changed_by_nobody(protocol.Channel(DEVICE))


def test_a_key_that_is_none_is_refused():
    for text in ("", "00" * 31, "0g" * 32, "00" * 33):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            run = subprocess.run([TWIN, "--tap-fd", "0", "--ip", DEVICE, "--key-file", file.name],
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True)
            same(text, (run.returncode, "64 hexadecimal digits" in run.stderr, text and text in run.stderr),
                 (2, True, text and False))


def test_many_requests_leave_nothing_behind():
    with Device("--pcb-cap", "12") as d:
        def size():
            with open("/proc/%d/status" % d.process.pid) as f:
                lines = dict(l.split(":", 1) for l in f)
            return int(lines["VmRSS"].split()[0]), int(lines["Threads"])
        for _ in range(500):
            get()
        before = size()
        for _ in range(3000):
            get()
        after = size()
        print("    resident kB and threads after 500 requests %s, after 3500 %s" % (before, after))
        same("threads", after[1], before[1])
        if "san" not in TWIN:
            assert after[0] - before[0] < 500, (before, after)
        # and with every client rude in a way of its own
        for n in range(200):
            try:
                with socket.create_connection((DEVICE, 80), 2) as s:
                    if n % 4 == 1:
                        s.send(b"GET / HT")
                    if n % 4 == 2:
                        s.send(b"GET /big?100000 HTTP/1.1\r\n\r\n")
                    if n % 2:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except ConnectionResetError:
                pass  # the socket table was full of the ones before
        time.sleep(1.5)
        state = d.status()
        same("live", [state["pcbs"][k] for k in ("established", "close_wait", "syn_received")], [0, 0, 0])
        get()


def test_a_full_socket_table_resets_after_the_handshake():
    with Device() as d:
        # On a busy machine the server accepts late, the backlog of five fills, and the sixth SYN is sent again after 1 s.
        idle = [socket.create_connection((DEVICE, 80), 5) for _ in range(8)]
        time.sleep(0.2)
        with socket.create_connection((DEVICE, 80), 1) as s:
            s.settimeout(1)
            try:
                s.send(b"GET / HTTP/1.1\r\n\r\n")
                s.recv(10)
            except ConnectionResetError:
                pass
            ends = [x for x in d.wire.of(s.getsockname()[1]) if x["out"]]
            print("    the ninth connection, from the device: %s" % [
                "".join(n for n, bit in zip("FSRPA", (1, 2, 4, 8, 16)) if x["flags"] & bit) for x in ends])
            assert any(x["flags"] & (RST | FIN) for x in ends)
        for s in idle:
            s.close()
        time.sleep(0.3)
        get()


def test_the_ends():
    with Device() as d:
        d.process.send_signal(signal.SIGTERM)
        same("SIGTERM", d.process.wait(5), 0)
    with Device() as d:
        subprocess.run("ip link del tap0".split(), check=True)
        same("TAP gone", d.process.wait(5), 1)
        d.process.returncode = 0
    for arguments, part in [
        (["--ip", DEVICE], "--tap-fd or --tap"), (["--tap-fd", "0"], "--ip"), (["--ip"], "--ip needs a value"),
        (["--ip", DEVICE, "--tap-fd", "x"], "--tap-fd x"), (["--tap-fd", "0", "--ip", "10.77"], "--ip 10.77"), (["--nonsense", "1"], "--nonsense"),
        (["--tap-fd", "0", "--ip", DEVICE, "--msl-ms", "0"], "--msl-ms 0"),
        (["--tap-fd", "0", "--ip", DEVICE, "--mode", "broken"], "unfixed, fixed, fixed-app or fixed-all"),
        (["--tap-fd", "0", "--ip", DEVICE], "not an open TAP"),
        (["--tap-fd", "0", "--ip", DEVICE, "--ip6", "::x"], "--ip6 ::x"),
        (["--tap-fd", "0", "--ip", DEVICE, "--netmask", "255.0.255.0"], "--netmask"),
    ]:
        run = subprocess.run([TWIN, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        same(" ".join(arguments), (run.returncode, part in run.stderr), (2, True))
    run = subprocess.run([TWIN, "--help"], capture_output=True, text=True)
    same("help", (run.returncode, "Usage:" in run.stdout), (0, True))


def alone(test):
    """In a process and a namespace of its own: no tuple of another test is in this host's way."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            subprocess.run("ip link set lo up".split(), check=True)
            test()
            code = 0
        except Exception:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main():
    wanted = sys.argv[2:]
    tests = [(n, t) for n, t in globals().items() if n.startswith("test_")]
    failed = 0
    for name, test in tests:
        if wanted and not any(w in name for w in wanted):
            continue
        began = time.monotonic()
        passed = alone(test)
        failed += not passed
        print("%s  %s (%.1f s)" % ("ok  " if passed else "FAIL", name[5:], time.monotonic() - began), flush=True)
    return 1 if failed else 0


sys.exit(main())
