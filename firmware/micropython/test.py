"""The tests of the MicroPython firmware, as a process on loopback: protocol, HTTP, and its parts one by one.

Usage: test.py INTERPRETER [part of a test name]...     (python3, or MicroPython's Unix port)

Knows: what a board gets, which is these files and a config.py in one folder.
Refuses to know: boards; nothing here has Wi-Fi or lwIP.
"""
import ctypes
import errno
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
sys.dont_write_bytecode = True

import control_auth
import json_read
import protocol_tests as protocol
from protocol_tests import same

KEY = bytes(range(32))
HOST, OTHER_SOURCE = "127.0.0.1", "127.0.0.2"
FILES = ["main.py", "board.py", "control.py", "control_auth.py", "http_server.py", "json_read.py"]
MICROPYTHON = len(sys.argv) > 1 and "micropython" in os.path.basename(sys.argv[1])
INTERPRETER = shutil.which(sys.argv[1]) if len(sys.argv) > 1 else sys.exit(__doc__)
# A chip has about as much memory for Python.
COMMAND = [INTERPRETER, "-X", "heapsize=100k", "main.py"] if MICROPYTHON else [INTERPRETER, "main.py"]


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: whatever becomes of us, nothing stays behind


class Device(protocol.Channel):
    """One run of the firmware, in a folder of its own, as a board would have it."""

    def __init__(self, key=KEY):
        super().__init__(HOST, free_port(socket.SOCK_DGRAM), key)
        self.http = free_port(socket.SOCK_STREAM)
        self.folder = tempfile.TemporaryDirectory()
        for name in FILES:
            shutil.copy(os.path.join(HERE, name), self.folder.name)
        with open(os.path.join(HERE, "config.example.py")) as example:
            config = example.read()
        with open(os.path.join(self.folder.name, "config.py"), "w") as f:
            f.write(config + '\nKEY = "%s"\nHTTP_PORT = %d\nCONTROL_PORT = %d\n' % (
                key.hex() if key else "", self.http, self.at[1]))
        self.process = subprocess.Popen(
            COMMAND, cwd=self.folder.name, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None)
        self.ready = self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        ended = self.process.poll()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()
        assert ended is None, "the firmware had ended by itself, with %s" % ended

    def connect(self):
        return socket.create_connection((HOST, self.http), 3)

    def get(self, path="/"):
        """The answer up to the server's FIN, and the port it was asked from."""
        with self.connect() as s:
            s.send(b"GET %s HTTP/1.1\r\nHost: board\r\n\r\n" % path.encode())
            return until_closed(s), s.getsockname()[1]

    def holds_time_wait(self, client):
        """Of the two ends of one connection, the one in TIME-WAIT: it is the one that closed first."""
        with open("/proc/net/tcp") as table:
            # A set: the kernel lists a socket twice where the table changes between two reads of it.
            rows = {tuple(row.split()[1:4]) for row in list(table)[1:]}
        ends = [tuple(int(end.split(":")[1], 16) for end in row[:2]) for row in rows if row[2] == "06"]
        ours = {self.http, client}
        return ["device" if local == self.http else "client" for local, remote in ends if {local, remote} == ours]


def until_closed(s):
    data = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            return data
        data += piece


def answers(s, count, body):
    """So many answers with a length each, on a connection that stays open."""
    data, bodies = b"", []
    while len(bodies) < count:
        head, found, rest = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head).group(1)) if found else 0
        if not found or len(rest) < length:
            piece = s.recv(65536)
            assert piece, "closed in the middle"
            data += piece
            continue
        bodies.append(head if not body else rest[:length])
        data = rest[length:]
    same("nothing beyond", data, b"")
    return bodies


HELLO = b"Hello from esp-tcpwatch\n"


# --- the parts, imported: under CPython alone ----------------------------------------------------

def part_hmac_is_the_one_of_the_rfcs():
    same("RFC 4231, 2", control_auth.hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex(),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    dice = random.Random(1)
    for _ in range(200):
        key, text = dice.randbytes(dice.randrange(65)), dice.randbytes(dice.randrange(300))
        import hmac
        same("HMAC", control_auth.hmac_sha256(key, text), hmac.digest(key, text, "sha256"))


def judged(auth, nonce, now_ms, asker=b"a", text=b'{"x":1'):
    mac = protocol.mac_of(KEY, text)
    return auth.judge(asker, now_ms, text + b',"mac":"%s"}' % mac, nonce, mac.decode())


def part_a_nonce_lives_for_thirty_seconds_and_one_request():
    auth = control_auth.Auth(KEY.hex().upper(), bytes(32))
    for born in (0, 12340, (1 << 32) * 10 - 5000):  # the last: its ticks wrap at 2^32 while it lives
        nonce = auth.nonce(b"a", born)
        same("from elsewhere", judged(auth, nonce, born, b"b"), control_auth.STALE)
        same("too old", judged(auth, nonce, born + 30011), control_auth.STALE)
        same("from the time to come", judged(auth, auth.nonce(b"a", born + 20), born), control_auth.STALE)
        same("old enough", judged(auth, nonce, born + 30000), control_auth.OK)
        same("again", judged(auth, nonce, born + 30000), control_auth.RETRY)
        same("again, otherwise", judged(auth, nonce, born + 30000, text=b'{"x":2'), control_auth.STALE)
    other = control_auth.Auth(KEY.hex(), bytes(31) + b"1")
    same("of another start", judged(other, nonce, born), control_auth.STALE)
    for key in ("ab", "g" * 64, "0" * 63):
        try:
            control_auth.Auth(key, bytes(32))
            raise AssertionError("%r was taken for a key" % key)
        except ValueError:
            pass


def part_sixteen_changes_are_remembered_for_as_long_as_their_nonces_live():
    auth = control_auth.Auth(KEY.hex(), bytes(32))
    for n in range(16):
        same("a change", judged(auth, auth.nonce(b"a", n * 1000), n * 1000), control_auth.OK)
    same("one more", judged(auth, auth.nonce(b"a", 17000), 17000), control_auth.SLOW_DOWN)
    same("the first is forgotten", judged(auth, auth.nonce(b"a", 31001), 31001), control_auth.OK)
    same("the second is not", judged(auth, auth.nonce(b"a", 31990), 31990), control_auth.SLOW_DOWN)
    same("remembered", len(auth._used), 16)


def members(text):
    try:
        return json_read.read_object(text)
    except json_read.NotJson:
        return None


def part_json_is_what_python_calls_json():
    dice = random.Random(3)
    base = [b'{"v":1,"a":[1,-2.5e+3,null,{"b":"\\u00e4\\n"}],"t":true ,"f":false}', b'{"":{},"x":[[],[{}]]}']
    read = refused = 0

    def no_constant(word):
        raise ValueError(word)  # NaN and the infinities are Python's own
    for _ in range(12000):
        text = bytearray(dice.choice(base))
        for _ in range(dice.randrange(4)):
            at = dice.randrange(len(text))
            change = dice.randrange(3)
            if change == 0:
                text[at] = dice.choice(b'{}[]",:\\u019eE+-. tfn\n\x1f')
            elif change == 1:
                del text[at]
            else:
                text.insert(at, dice.choice(b'{}[]",:\\u019eE+-. tfn\n\x1f'))
        try:
            python = json.loads(text, parse_constant=no_constant)
        except ValueError:
            python = None
        ours = members(bytes(text))
        same(bytes(text), ours is not None, isinstance(python, dict))
        if ours is None:
            refused += 1
        else:
            read += 1
            plain = [name for name, _ in ours if "\\" not in name]
            assert set(plain) <= set(python), text
    print("    %d texts read, %d refused, by both alike" % (read, refused))
    assert min(read, refused) > 2000
    same("numbers", members(b'{"a":4294967295,"b":4294967296,"c":0,"d":-0,"e":1.0,"f":%s}' % (b"9" * 900)),
         [("a", 4294967295), ("b", -1), ("c", 0), ("d", -1), ("e", -1), ("f", -1)])
    same("doubles", members(b'{"a":1,"a":2}'), [("a", 1), ("a", 2)])
    same("not ASCII", (members(b'{"\xc3\xa4":1}'), members(b'{"\x7f":1}')), (None, None))


def part_the_version_is_that_of_the_other_firmware():
    versions = []
    for path, pattern in (("main.py", 'FIRMWARE = "(.*)"'), ("../app/app.h", 'APP_FIRMWARE_VERSION "(.*)"')):
        with open(os.path.join(HERE, path)) as f:
            versions += re.findall(pattern, f.read())
    same("versions", versions, [versions[0]] * 2)


# --- the whole, as a process ---------------------------------------------------------------------

def test_errors_are_named():
    with Device() as d:
        protocol.errors_are_named(d)


def test_a_device_without_a_key_is_changed_by_nobody():
    with Device(key=None) as d:
        protocol.a_device_without_a_key_is_changed_by_nobody(d)


def test_a_signed_change_is_taken_once():
    with Device() as d:
        protocol.a_signed_change_is_taken_once(d)


def test_what_is_not_signed_by_the_owner_changes_nothing():
    with Device() as d:
        protocol.what_is_not_signed_by_the_owner_changes_nothing(d)


def test_a_nonce_is_for_one_address():
    with Device() as d:
        protocol.a_nonce_is_for_one_address(d, OTHER_SOURCE)


def test_remedies_are_taken_all_or_none():
    with Device() as d:
        protocol.remedies_are_taken_all_or_none(d)
        same("what a script cannot do", d.change(close="reset").get("error"), "not-compiled-in")


def test_tries_and_changes_are_counted():
    with Device() as d:
        protocol.tries_and_changes_are_counted(d)


def test_ten_thousand_strange_datagrams_change_nothing():
    with Device() as d:
        protocol.ten_thousand_strange_datagrams_change_nothing(d)
        same("it serves", d.get()[0].endswith(HELLO), True)


def test_starts_are_counted_in_a_file():
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(os.path.join(HERE, "board.py"), folder)
        count = [INTERPRETER, "-c", "import board; print(board.count_starts('boots'), board.count_starts('no/boots'))"]

        def started():
            return subprocess.run(count, cwd=folder, capture_output=True, text=True, timeout=10).stdout.split()

        same("first and second", [started(), started()], [["1", "None"], ["2", "None"]])
        for damaged, then in (("", "1"), ("x7", "1"), ("-3", "1"), ("4294967295", "1"), ("41", "42")):
            with open(os.path.join(folder, "boots"), "w") as f:
                f.write(damaged)
            same(damaged, started()[0], then)


def test_status_says_what_it_knows_and_no_more():
    with Device() as d:
        assert d.ready.startswith("Listening on 127.0.0.1"), d.ready
        status = d.status()
        same("members", set(status), {"boot", "boots", "chip", "faults", "firmware", "http", "mode", "protocol", "remedies",
                                      "stack", "uptime_ms"})
        same("remedies", status["remedies"], {"msl_ms": None, "rst_in_time_wait": None, "syn_in_time_wait": None,
                                              "pcb_cap": None, "close": "server-first"})
        name = "micropython" if MICROPYTHON else "cpython"
        same("boots", status["boots"], 1)
        same("chip", (status["chip"], status["mode"], status["protocol"]), (name + "-linux", "custom", 1))
        assert status["stack"].lower().startswith("this pc's, under " + name), status["stack"]
        time.sleep(0.2)
        assert 150 < d.status()["uptime_ms"] - status["uptime_ms"] < 2000


def test_server_first_leaves_time_wait_with_the_device():
    with Device() as d:
        data, port = d.get()
        assert data.startswith(b"HTTP/1.1 200 OK\r\n") and data.endswith(b"\r\n\r\n" + HELLO), data
        assert b"Content-Length" not in data and b"Connection: close" in data, data
        same("TIME-WAIT", d.holds_time_wait(port), ["device"])
        same("counted", d.status()["http"], {"accepted": 1, "served": 1, "errors": 0})


def test_client_first_leaves_time_wait_with_the_client():
    with Device() as d:
        d.change(close="client-first")
        with d.connect() as s:
            s.send(b"GET / HTTP/1.1\r\n\r\n")
            head = answers(s, 1, body=False)[0]
            assert b"Connection: close" in head, head
            s.settimeout(0.3)
            try:
                s.recv(1)
                raise AssertionError("the device closed first")
            except TimeoutError:
                pass
            s.shutdown(socket.SHUT_WR)
            s.settimeout(3)
            same("then the device", s.recv(1), b"")
            port = s.getsockname()[1]
        same("TIME-WAIT", d.holds_time_wait(port), ["client"])
        same("counted", d.status()["http"], {"accepted": 1, "served": 1, "errors": 0})


def test_keep_alive_holds_one_connection():
    with Device() as d:
        with d.connect() as before:
            d.get()  # so that the one before is accepted
            d.change(close="keep-alive")
            before.send(b"GET / HTTP/1.1\r\n\r\n")
            same("a switch does not cut a running connection", until_closed(before).endswith(HELLO), True)
        with d.connect() as s:
            for _ in range(3):
                s.send(b"GET / HTTP/1.1\r\n\r\n")
                assert b"Connection: keep-alive" in answers(s, 1, body=False)[0]
            s.send(b"GET / HTTP/1.1\r\n\r\nGET /big?3000 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
            bodies = answers(s, 3, body=True)
            same("three at once", (bodies[0], len(bodies[1]), bodies[2]), (HELLO, 3000, HELLO))
        same("counted", d.status()["http"], {"accepted": 3, "served": 8, "errors": 0})


def test_a_big_answer_does_not_silence_the_control_channel():
    with Device() as d:
        with d.connect() as s:
            s.send(b"GET /big?30000000 HTTP/1.1\r\n\r\n")
            slowest, octets, began = 0, 0, time.monotonic()
            while True:
                piece = s.recv(1 << 20)
                if not piece:
                    break
                octets += len(piece)
                if octets % 16 == 0:
                    asked = time.monotonic()
                    d.status()
                    slowest = max(slowest, time.monotonic() - asked)
        head = len(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
        same("octets", octets, head + 30000000)
        print("    30 MB in %.1f s; the slowest status took %.0f ms" % (time.monotonic() - began, slowest * 1000))
        assert slowest < 1
        body = d.get("/big?1000")[0][head:]
        row = b"0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz\n"
        same("what it is made of", body, (row * 14)[:1000])
        for path, length in (("/big?", 0), ("/big?0", 0), ("/big?x", 0), ("/big?7x", 7)):
            same(path, len(d.get(path)[0]) - head, length)


def test_stalls_end_when_they_are_lifted():
    with Device() as d:
        same("in force", d.ask({"v": 1, "id": 1, "op": "fault", "set": {"stall_ms": 400}})["faults"], {"stall_ms": 400})
        began = time.monotonic()
        d.get()
        assert 0.35 < time.monotonic() - began < 3, time.monotonic() - began
        d.ask({"v": 1, "id": 1, "op": "fault", "set": {"stall_ms": 3600000}})
        with d.connect() as held, d.connect() as gone, d.connect() as stall:
            held.send(b"GET / HTTP/1.1\r\n\r\n")
            gone.send(b"GET / HTTP/1.1\r\n\r\n")
            stall.send(b"GET /stall HTTP/1.1\r\n\r\n")
            held.settimeout(0.3)
            try:
                held.recv(1)
                raise AssertionError("no stall")
            except TimeoutError:
                pass
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.close()
            held.settimeout(3)
            awake, began = seconds_awake(d.process.pid), time.monotonic()
            time.sleep(1)
            share = (seconds_awake(d.process.pid) - awake) / (time.monotonic() - began)
            assert share < 0.6, "it runs in circles while it waits: awake for %.2f of the time" % share
            same("lifted", d.ask({"v": 1, "id": 1, "op": "fault", "set": {"stall_ms": 0}})["faults"], {"stall_ms": 0})
            same("answered", until_closed(held).endswith(HELLO), True)
            stall.settimeout(0.3)
            try:
                stall.recv(1)
                raise AssertionError("an answer to /stall")
            except TimeoutError:
                pass


def seconds_awake(pid):
    """Running, or waiting for a processor that others have."""
    with open("/proc/%d/schedstat" % pid) as f:
        running, waiting = f.read().split()[:2]
    return (int(running) + int(waiting)) / 1e9


def test_rude_clients_leave_nothing_behind():
    with Device() as d:
        for length in (5119, 5120, 5121, 5200):  # a browser's long head; what is kept of it is cut around the first ones
            with d.connect() as s:
                head = b"GET / HTTP/1.1\r\nCookie: "
                s.send(head + b"x" * (length - len(head) - 3) + b"\r\n\r")
                time.sleep(0.1)
                s.send(b"\n")
                same("a long head", until_closed(s).endswith(HELLO), True)
        for n in range(200):
            time.sleep(0.002)  # a full backlog costs a SYN, and that a second
            with d.connect() as s:
                try:
                    if n % 4 == 1:
                        s.send(b"GET / HT")
                    if n % 4 == 2:
                        s.send(b"GET /big?100000 HTTP/1.1\r\n\r\n")
                    if n % 2:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                except OSError as error:  # the places were taken by the ones before
                    assert error.errno in (errno.EPIPE, errno.ECONNRESET), error
        # Who waits in the backlog yet is taken a moment later: it must stay at two.
        patience = time.monotonic() + 5
        held = [open_sockets(d.process.pid)]
        while held[-5:] != [2] * 5 and time.monotonic() < patience:
            time.sleep(0.05)
            held.append(open_sockets(d.process.pid))
        same("sockets held: listener and control", held[-5:], [2] * 5)
        idle = []
        for _ in range(8):
            idle.append(d.connect())
            time.sleep(0.05)
        with d.connect() as ninth:
            try:
                same("the ninth", ninth.recv(1), b"")
            except ConnectionResetError:
                pass
        for s in idle:
            s.close()
        time.sleep(0.2)
        same("and then", d.get()[0].endswith(HELLO), True)


def open_sockets(pid):
    folder = "/proc/%d/fd" % pid
    links = [os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)]
    return sum(link.startswith("socket:") for link in links)


def test_a_missing_or_wrong_config_says_what_to_do():
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            shutil.copy(os.path.join(HERE, name), folder)
        run = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, timeout=10)
        assert run.returncode != 0 and "config.example.py" in run.stdout + run.stderr, run
        with open(os.path.join(folder, "config.py"), "w") as f:
            f.write('KEY = "secret"\n')
        run = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, timeout=10)
        assert run.returncode != 0 and "64 hexadecimal digits" in run.stdout + run.stderr, run


def main():
    wanted = sys.argv[2:]
    ran = failed = 0
    prefixes = ("test_",) if MICROPYTHON else ("part_", "test_")
    for name, test in [(n, t) for n, t in globals().items() if n.startswith(prefixes)]:
        if wanted and not any(w in name for w in wanted):
            continue
        began = time.monotonic()
        try:
            test()
            verdict = "ok  "
        except Exception:
            traceback.print_exc()
            verdict = "FAIL"
            failed += 1
        ran += 1
        print("%s  %s (%.1f s)" % (verdict, name[5:], time.monotonic() - began), flush=True)
    print("%d checks of the MicroPython firmware under %s, %d failed" % (ran, os.path.basename(INTERPRETER), failed))
    return 1 if failed or not ran else 0


sys.exit(main())
