"""What every device that speaks docs/control-protocol.md must do: the tests that the twin and MicroPython share.

Knows: the protocol, and one device's address and key. Each test wants a device that was just started.
Refuses to know: which device it is. What one cannot do is asked of it, not assumed.
"""
import collections
import hashlib
import hmac
import json
import random
import socket
import time

PURPOSE = b"esp-tcpwatch control 1\n"
ERRORS = {
    "bad-json", "too-large", "bad-version", "unknown-op", "unknown-fault", "out-of-range", "not-compiled-in",
    "unknown-remedy", "no-key", "stale-nonce", "bad-mac", "slow-down", "snapshot-gone",
}


def same(what, is_, should):
    assert is_ == should, "%s: is %r, should be %r" % (what, is_, should)


class Channel:
    """The control channel of one device. `key`: its 32 octets, or None where the device has none."""

    def __init__(self, address, port=7777, key=None):
        self.at = (address, port)
        self.key = key

    def open(self, source=None):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if source:
            made.bind((source, 0))
        made.connect(self.at)
        return made

    def ask(self, request, tries=5, wait=0.5, source=None):
        datagram = request if isinstance(request, bytes) else json.dumps(request).encode()
        with self.open(source) as u:
            u.settimeout(wait)
            for _ in range(tries):
                u.send(datagram)
                try:
                    reply = u.recv(4096)
                except TimeoutError:
                    continue
                assert len(reply) < 1400, "a reply of %d octets" % len(reply)
                return json.loads(reply)
        raise TimeoutError("no reply to %r" % datagram[:80])

    def ask_patiently(self, datagram):
        """As often as a device asks for patience: ten tries a second are judged."""
        for _ in range(4):
            reply = self.ask(datagram)
            if reply.get("error") != "slow-down":
                return reply
            time.sleep(1.05)
        return reply

    def status(self):
        return self.ask({"v": 1, "id": 1, "op": "status"})["status"]

    def in_force(self):
        """All that a stranger must not be able to change."""
        status = self.status()
        return {name: status[name] for name in ("mode", "remedies", "faults")}

    def nonce(self, source=None):
        time.sleep(0.012)  # births are counted in hundredths of a second: two askers in one would share a nonce
        reply = self.ask({"v": 1, "id": 2, "op": "challenge"}, source=source)
        assert reply["ok"], reply
        same("life of a nonce", reply["challenge"]["valid_ms"], 30000)
        return reply["challenge"]["nonce"]

    def signed(self, change, nonce, id_=3, key=None):
        text = json.dumps({"v": 1, "id": id_, "op": "set", "nonce": nonce, "set": change})[:-1].encode()
        return text + b',"mac":"%s"}' % mac_of(key or self.key, text)

    def change(self, **change):
        return self.ask_patiently(self.signed(change, self.nonce()))

    def can_be_changed(self):
        """Says so by name where challenge and set are not there, or no key was given to try them with."""
        if self.ask({"v": 1, "id": 2, "op": "challenge"}).get("error") == "unknown-op":
            print("    NOT RUN: what needs challenge and set; this device answers unknown-op")
            return False
        if self.key is None:
            print("    NOT RUN: what needs a signature; this device was given no key")
            return False
        return True


def mac_of(key, text):
    return hmac.new(key, PURPOSE + text, hashlib.sha256).hexdigest().encode()


# --- the tests ---------------------------------------------------------------------------------

def errors_are_named(device):
    cases = [
        (b"hello", "bad-json", None), (b"", "bad-json", None), (b"{}", "bad-version", None),
        (b'{"v":1}', "bad-json", None), (b'{"v":2,"id":4,"op":"status"}', "bad-version", 4),
        (b'{"v":true,"id":4,"op":"status"}', "bad-version", 4),
        (b'{"v":1,"id":4,"op":"reboot"}', "unknown-op", 4), (b'{"v":1,"id":4,"op":7}', "bad-json", 4),
        (b'{"v":1,"id":4,"op":"\\u001b[31m"}', "unknown-op", 4),
        (b'{"v":1,"id":4,"op":"fault","set":{"gremlins":1}}', "unknown-fault", 4),
        (b'{"v":1,"id":4,"op":"fault","set":{"stall_ms":1,"gremlins":1}}', "unknown-fault", 4),
        (b'{"v":1,"id":4,"op":"fault","set":{"stall_ms":3600001}}', "out-of-range", 4),
        (b'{"v":1,"id":4,"op":"fault","set":{"stall_ms":99999999999999999999}}', "out-of-range", 4),
        (b'{"v":1,"id":4,"op":"fault","set":{"stall_ms":-1}}', "out-of-range", 4),
        (b'{"v":1,"id":4,"op":"fault","set":{"stall_ms":true}}', "out-of-range", 4),
        (b'{"v":1,"id":4,"op":"fault","set":{"stall_ms":1e2}}', "out-of-range", 4),
        (b'{"v":1,"id":4,"op":"fault","set":{"stall_ms":1,"stall_ms":2}}', "bad-json", 4),
        (b'{"v":1,"id":4,"op":"fault","set":[1]}', "bad-json", 4),
        (b'{"v":1,"id":4,"id":5,"op":"status"}', "bad-json", None),
        (b'{"v":1,"id":4294967296,"op":"status"}', "bad-json", None),
        (b'{"v":1,"id":4294967295,"op":"status"}', None, 4294967295),
        (b'{"v":1,"id":4,"op":"status"} x', "bad-json", None),
        (b'{"v":1,"id":4,"op":"status",}', "bad-json", None),
        (b'{"v":01,"id":4,"op":"status"}', "bad-json", None),
        (b'{"v":1 "id":4 "op":"status"}', "bad-json", None),
        (b'{"v":1,"id":4,"op":"status","x":"\\u12', "bad-json", None),
        (b'{"v":1,"id":4,"op":"status","x":"\\', "bad-json", None),
        (b'{"v":1,"id":4,"op":"status","x":"\n"}', "bad-json", None),
        (b'{"v":1,"id":4,"op":"status","x":tru}', "bad-json", None),
        (b'{"v":1,"id":4,"op":"status","x":-}', "bad-json", None),
        ('{"v":1,"id":4,"op":"stätus"}'.encode(), "bad-json", None),
        (b'{"v":1,"id":4,"op":"status","x":' + b"[" * 8 + b"]" * 8 + b"}", None, 4),
        (b'{"v":1,"id":4,"op":"status","x":' + b"[" * 9 + b"]" * 9 + b"}", "bad-json", None),
        (b'{"v":1,"id":4,"op":"status","later":{"a":[1,-2.5e3,null,"\\u00e4",true]}}', None, 4),
        (b'{"v":1,"id":4,"op":"status"}' + b" " * 996, None, 4),
        (b'{"v":1,"id":4,"op":"status"}' + b" " * 997, "too-large", None),
        (b"x" * 8000, "too-large", None),
    ]
    if "no_accept" in device.status()["faults"]:
        cases.append((b'{"v":1,"id":4,"op":"fault","set":{"no_accept":1}}', "out-of-range", 4))
    else:
        cases.append((b'{"v":1,"id":4,"op":"fault","set":{"stall_ms":1,"no_accept":true}}', "not-compiled-in", 4))
    if device.ask({"v": 1, "id": 4, "op": "pcbs"}).get("error") != "unknown-op":
        cases += [
            (b'{"v":1,"id":4,"op":"pcbs","from":1}', "out-of-range", 4),
            (b'{"v":1,"id":4,"op":"pcbs","snapshot":"1"}', "out-of-range", 4),
            (b'{"v":1,"id":4,"op":"pcbs","snapshot":-1}', "out-of-range", 4),
            (b'{"v":1,"id":4,"op":"pcbs","snapshot":1,"from":4294967296}', "out-of-range", 4),
            (b'{"v":1,"id":4,"op":"pcbs","snapshot":4294967295,"from":0}', "snapshot-gone", 4),
            (b'{"v":1,"id":4,"op":"pcbs","snapshot":1,"snapshot":1}', "bad-json", None),
            (b'{"v":1,"id":4,"op":"pcbs","snapshot":1,"from":1,"from":1}', "bad-json", None),
        ]
    before = device.in_force()
    for datagram, error, id_ in cases:
        reply = device.ask(datagram)
        same(datagram[:70], (reply.get("error"), reply["id"], reply["v"]), (error, id_, 1))
    same("nothing changed", device.in_force(), before)


def a_device_without_a_key_is_changed_by_nobody(device):
    """The one test for a device that was started without a key."""
    assert device.key is None
    if device.ask({"v": 1, "id": 2, "op": "challenge"}).get("error") == "unknown-op":
        print("    NOT RUN: what needs challenge and set; this device answers unknown-op")
        return
    before = device.in_force()
    for key in (bytes(32), b"", bytes([0xFF]) * 32):
        text = b'{"v":1,"id":3,"op":"set","nonce":"%s","set":{"close":"keep-alive"}' % device.nonce().encode()
        reply = device.ask(text + b',"mac":"%s"}' % mac_of(key, text))
        same("refused", (reply["ok"], reply.get("error"), reply["id"]), (False, "no-key", 3))
    same("nothing changed", device.in_force(), before)


def a_signed_change_is_taken_once(device):
    if not device.can_be_changed():
        return
    first = device.signed({"close": "client-first"}, device.nonce(), 3)
    reply = device.ask(first)
    same("taken", (reply["id"], reply["ok"], reply["remedies"]["close"]), (3, True, "client-first"))
    status = device.status()
    same("told alike", (status["remedies"], status["mode"]), (reply["remedies"], reply["mode"]))

    same("sent again, answered again", device.ask(first), reply)
    same("another", device.change(close="keep-alive")["remedies"]["close"], "keep-alive")
    again = device.ask(first)
    assert again["ok"], again
    same("the first once more changes nothing", device.status()["remedies"]["close"], "keep-alive")
    same("and its answer tells what is in force", again["remedies"]["close"], "keep-alive")

    nonce = device.nonce()
    assert device.ask(device.signed({"close": "server-first"}, nonce, 3))["ok"]
    reply = device.ask(device.signed({"close": "keep-alive"}, nonce, 3))
    same("a second use of a nonce", reply.get("error"), "stale-nonce")
    same("two nonces", device.nonce() != device.nonce(), True)
    same("in force", device.status()["remedies"]["close"], "server-first")


def what_is_not_signed_by_the_owner_changes_nothing(device):
    if not device.can_be_changed():
        return
    before = device.in_force()
    good = device.signed({"close": "keep-alive"}, device.nonce())
    mac = good[-66:-2]
    ours = device.nonce()
    cases = [
        ("another key", device.signed({"close": "keep-alive"}, ours, key=bytes(32)), {"bad-mac"}),
        ("changed on the way", good.replace(b"keep-alive", b"keep-alivf"), {"bad-mac", "out-of-range"}),
        ("changed to what it may be", good.replace(b"keep-alive", b"client-first"), {"bad-mac"}),
        ("another id", good.replace(b'"id": 3', b'"id": 4'), {"bad-mac"}),
        ("white space in the end", good.replace(b',"mac"', b', "mac"'), {"bad-mac", "bad-json"}),
        ("white space after the end", good + b" ", {"bad-mac", "bad-json"}),
        ("something after the MAC", good[:-1] + b',"x":1}', {"bad-mac", "bad-json"}),
        ("capitals", good.replace(mac, mac.upper()), {"bad-mac", "bad-json"}),
        ("a short MAC", good.replace(mac, mac[:63]), {"bad-mac", "bad-json"}),
        ("no MAC", good[:-74] + b"}", {"bad-mac", "bad-json"}),
        ("two MACs", good[:-1] + b',"mac":"%s"}' % mac, {"bad-mac", "bad-json"}),
        ("no nonce", device.signed({"close": "keep-alive"}, None), {"stale-nonce", "bad-json"}),
        ("an invented nonce", device.signed({"close": "keep-alive"}, ours[:8] + "0" * 24), {"stale-nonce"}),
        ("a nonce of another time", device.signed({"close": "keep-alive"}, "f" + ours[1:]), {"stale-nonce"}),
        ("a nonce cut", device.signed({"close": "keep-alive"}, ours[:31]), {"stale-nonce"}),
        ("a nonce in capitals", device.signed({"close": "keep-alive"}, "00000ABC" + ours[8:]), {"stale-nonce"}),
    ]
    for what, datagram, errors in cases:
        reply = device.ask_patiently(datagram)
        assert reply.get("error") in errors, "%s: %r" % (what, reply)
    same("nothing changed", device.in_force(), before)
    reply = device.ask_patiently(good)
    assert reply["ok"] and reply["remedies"]["close"] == "keep-alive", reply


def a_nonce_is_for_one_address(device, other_source):
    if not device.can_be_changed():
        return
    stolen = device.signed({"close": "keep-alive"}, device.nonce())
    same("from elsewhere", device.ask(stolen, source=other_source).get("error"), "stale-nonce")
    own = device.signed({"close": "client-first"}, device.nonce(other_source))
    same("with its own", device.ask(own, source=other_source)["remedies"]["close"], "client-first")


def remedies_are_taken_all_or_none(device):
    if not device.can_be_changed():
        return
    before = device.in_force()
    can = {name for name, value in before["remedies"].items() if value is not None}
    wrong = [
        ({"gremlins": 1}, "unknown-remedy"), ({"close": "keep-alive", "gremlins": 1}, "unknown-remedy"),
        ({"mode": "broken"}, "unknown-remedy"), ({"close": "sideways"}, "out-of-range"), ({"close": 1}, "out-of-range"),
        ({"close": None}, "out-of-range"),
    ]
    beyond = {"msl_ms": 249, "rst_in_time_wait": "honor", "syn_in_time_wait": 1, "pcb_cap": 256}
    for name, out_of_range in beyond.items():
        wrong.append(({"close": "keep-alive", name: out_of_range}, "out-of-range" if name in can else "not-compiled-in"))
    if len(can) < 5:
        wrong.append(({"mode": "fixed-app"}, "not-compiled-in"))
    for change, error in wrong:
        same(change, device.change(**change).get("error"), error)
    same("nothing changed", device.in_force(), before)
    if len(can) == 5:
        same("a mode first", device.change(close="keep-alive", mode="unfixed")["remedies"]["close"], "keep-alive")


def tries_and_changes_are_counted(device):
    if not device.can_be_changed():
        return
    before = device.in_force()
    foreign = device.signed({"close": "keep-alive"}, device.nonce(), key=bytes(32))
    began = time.monotonic()
    heard = collections.Counter(device.ask(foreign).get("error") for _ in range(60))
    most = 10 * (2 + int(time.monotonic() - began))
    assert set(heard) == {"bad-mac", "slow-down"} and heard["bad-mac"] <= most, heard
    same("nothing changed", device.in_force(), before)
    for n in range(16):
        reply = device.change(close=("keep-alive", "client-first")[n % 2])
        assert reply["ok"], (n, reply)
    time.sleep(1.05)
    reply = device.ask(device.signed({"close": "server-first"}, device.nonce()))
    same("the seventeenth change in half a minute", reply.get("error"), "slow-down")
    same("in force", device.status()["remedies"]["close"], "client-first")


def ten_thousand_strange_datagrams_change_nothing(device, count=10000):
    dice = random.Random(7)
    asks = [b'{"v":1,"id":4,"op":"status"}', b'{"v":1,"id":5,"op":"challenge"}',
            b'{"v":1,"id":8,"op":"fault","set":{"stall_ms":"long","no_accept":0}}',
            b'{"v":1,"id":9,"op":"pcbs","snapshot":1,"from":0}']
    signs = device.can_be_changed()
    if signs:
        taken = device.signed({"close": "client-first"}, device.nonce())
        assert device.ask(taken)["ok"]
        assert device.change(close="keep-alive")["ok"]
        nonce = json.loads(taken)["nonce"]
        asks.append(device.signed({"close": "client-first"}, device.nonce()))

    def changed():
        text = bytearray(dice.choice(asks))
        for _ in range(dice.randrange(1, 4)):
            text[dice.randrange(len(text))] = dice.randrange(256)
        return bytes(text)

    def cut():
        text = dice.choice(asks)
        return text[:dice.randrange(len(text))]

    kinds = {
        "octets": lambda: dice.randbytes(dice.randrange(1400)),
        "words": lambda: bytes(dice.choice(b'{}[]",:\\u0123456789eE+-.tfnrals vidopset \n') for _ in range(dice.randrange(120))),
        "changed": changed,
        "cut": cut,
        "oversized": lambda: dice.choice(asks) + b" " * dice.choice((1024, 1025, 1300, 4000)),
    }
    if signs:
        kinds["replayed"] = lambda: taken
        kinds["nonce again"] = lambda: device.signed({"close": "client-first"}, nonce, dice.randrange(1 << 32))
        kinds["another key"] = lambda: device.signed({"close": "client-first"}, nonce, key=dice.randbytes(32))
    before, began, uptime = device.in_force(), time.monotonic(), device.status()["uptime_ms"]
    sent, heard, names = 0, collections.Counter(), list(kinds)
    with device.open() as u:
        u.settimeout(0.05)
        while sent < count:
            # Few at once: a chip has room for some six datagrams.
            batch = [d for d in (kinds[names[(sent + n) % len(names)]]() for n in range(4)) if not asks_for_a_fault(d)]
            for datagram in batch:
                u.send(datagram)
            sent += len(batch)
            for _ in batch:
                try:
                    octets = u.recv(4096)
                except TimeoutError:
                    break
                assert len(octets) < 1400, "a reply of %d octets" % len(octets)
                reply = json.loads(octets)
                assert reply["v"] == 1 and (reply["ok"] or reply["error"] in ERRORS), reply
                heard[reply.get("error", "ok")] += 1
            if sent % 1000 < 4:
                assert time.monotonic() - began < 60, "too slow: %d datagrams in a minute" % sent
                same("still the same device", device.status()["uptime_ms"] >= uptime, True)
    print("    %d datagrams (%s) in %.1f s; answered: %s" % (
        sent, ", ".join(names), time.monotonic() - began, ", ".join("%s %d" % pair for pair in heard.most_common())))
    assert sum(heard.values()) > 0.9 * sent, heard
    same("nothing changed", device.in_force(), before)
    if signs:
        time.sleep(1.05)
        assert device.change(close="server-first")["ok"]
        same("its owner is heard", device.status()["remedies"]["close"], "server-first")


def asks_for_a_fault(datagram):
    """A chance change could make a lawful order of one, which would be carried out; not what is tested here."""
    try:
        request = json.loads(datagram)
        return request.get("op") == "fault" and bool(request.get("set"))
    except (ValueError, AttributeError):
        return False
