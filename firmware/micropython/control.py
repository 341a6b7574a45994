"""The control channel: one datagram in, one out (docs/control-protocol.md).

Knows: the words of the protocol, and what this firmware can do about them.
Refuses to know: who may change it (control_auth.py), and how the server acts on it.

What lies inside lwIP is out of a script's reach: it can be neither switched nor read here, and is told as null.
"""
import json

import control_auth
import json_read

VERSION = 1
REQUEST_MAX = 1024

# No `reset`: ESP-IDF compiles SO_LINGER out, and the other firmware's way, to leave an octet unread, takes MSG_PEEK,
# which MicroPython's recv() does not have on a chip.
CLOSES = ("server-first", "client-first", "keep-alive")
_STACK_REMEDIES = ("msl_ms", "rst_in_time_wait", "syn_in_time_wait", "pcb_cap")
_MODES = ("unfixed", "fixed", "fixed-app", "fixed-all")
_STALL_MS_MAX = 3600000
_OTHER_FAULTS = (
    "leak_ms",
    "no_read_ms",
    "no_accept",
    "backlog",
    "loss_in_permille",
    "loss_out_permille",
    "link_down_ms",
)
_DATAGRAMS_A_TURN = 16


class Refused(Exception):
    def __init__(self, error, detail):
        self.error = error
        self.detail = detail


class Channel:
    def __init__(self, socket, server, auth, identity, address_of):
        """`identity`: the members of status that never change. `address_of`: what recvfrom() tells, as octets."""
        self._socket = socket
        self._server = server
        self._auth = auth
        self._identity = identity
        self._address_of = address_of

    def run(self, now_ms):
        """Answers what has come, but never so much that the server starves."""
        for _ in range(_DATAGRAMS_A_TURN):
            try:
                # One octet more than is allowed, so that a longer datagram shows.
                datagram, peer = self._socket.recvfrom(REQUEST_MAX + 1)
            except OSError:
                return  # nothing there
            reply = self.answer(datagram, self._address_of(peer), now_ms)
            try:
                self._socket.sendto(reply, peer)
            except OSError:
                pass  # no memory for a moment: the host asks again

    def answer(self, datagram, asker, now_ms):
        reply = {"v": VERSION, "id": None, "ok": True}
        try:
            frame = _read_frame(datagram)
            if _is_whole(frame.get("id")):
                reply["id"] = frame["id"]
            reply.update(self._carry_out(_op_of(frame), frame, datagram, asker, now_ms))
        except Refused as refused:
            reply.update({"ok": False, "error": refused.error, "detail": refused.detail})
        return json.dumps(reply).encode()

    def _carry_out(self, op, frame, datagram, asker, now_ms):
        if op == "status":
            return {"status": self._status(now_ms)}
        if op == "fault":
            stall_ms = _read_faults(frame.get("set", []))
            if stall_ms is not None:
                self._server.stall_ms = stall_ms
            return {"faults": self._faults()}
        if op == "challenge":
            nonce = self._auth.nonce(asker, now_ms)
            return {"challenge": {"nonce": nonce, "valid_ms": control_auth.NONCE_LIFE_MS}}
        if op == "set":
            close = _read_remedies(frame.get("set"))
            verdict = self._auth.judge(asker, now_ms, datagram, frame.get("nonce"), frame.get("mac"))
            if verdict not in (control_auth.OK, control_auth.RETRY):
                raise Refused(verdict, _WHY[verdict])
            if verdict == control_auth.OK and close is not None:
                self._server.close = close
            return {"mode": "custom", "remedies": self._remedies()}
        raise Refused("unknown-op", "no op " + _plain(op) + "; there are status, fault, challenge and set")

    def _status(self, now_ms):
        status = {
            "protocol": VERSION,
            "uptime_ms": now_ms,
            # No mode is these remedies exactly, as long as four of them are unknown.
            "mode": "custom",
            "remedies": self._remedies(),
            "faults": self._faults(),
            "http": self._server.counters(),
        }
        status.update(self._identity)
        return status

    def _remedies(self):
        remedies = {name: None for name in _STACK_REMEDIES}
        remedies["close"] = self._server.close
        return remedies

    def _faults(self):
        return {"stall_ms": self._server.stall_ms}


_WHY = {
    control_auth.NO_KEY: "config.py has no KEY: nobody may change this device",
    control_auth.STALE: "not a nonce of this device for this address, too old, or used: ask for a challenge",
    control_auth.BAD_MAC: "signed with another key, or changed on the way",
    control_auth.SLOW_DOWN: "too many tries or changes; wait a second",
}


def _read_frame(datagram):
    if len(datagram) > REQUEST_MAX:
        raise Refused("too-large", "a request has at most 1024 octets")
    try:
        members = json_read.read_object(datagram)
    except json_read.NotJson:
        raise Refused("bad-json", "not one JSON object in ASCII, or nested too deep")
    frame = {}
    for name, value in members:
        if name in ("v", "id", "op", "set", "nonce", "mac"):
            if name in frame:
                raise Refused("bad-json", "a member is given twice")
            frame[name] = value
    return frame


def _op_of(frame):
    if not _is_whole(frame.get("v")) or frame["v"] != VERSION:
        raise Refused("bad-version", "this device speaks version 1, and v is missing or another")
    if not _is_whole(frame.get("id")):
        raise Refused("bad-json", "no id, or not a whole number below 2^32")
    if type(frame.get("op")) is not str:
        raise Refused("bad-json", "no op, or not a string")
    return frame["op"]


def _read_faults(asked):
    """The stall that was asked for, or None."""
    stall_ms = None
    for name, value in _members_once(asked):
        if name == "stall_ms":
            if not _is_whole(value) or value > _STALL_MS_MAX:
                raise Refused("out-of-range", "stall_ms is a whole number, 0 to 3600000")
            stall_ms = value
        elif name in _OTHER_FAULTS:
            raise Refused("not-compiled-in", name + " is not in this firmware; stall_ms is")
        else:
            raise Refused("unknown-fault", "no fault " + _plain(name))
    return stall_ms


def _read_remedies(asked):
    """The way to close that was asked for, or None."""
    close = None
    for name, value in _members_once(asked):
        if name == "close":
            if value == "reset":
                raise Refused("not-compiled-in", "reset is beyond a script; there are " + ", ".join(CLOSES))
            if value not in CLOSES:
                raise Refused("out-of-range", "close is " + ", ".join(CLOSES))
            close = value
        elif name == "mode":
            if value not in _MODES:
                raise Refused("unknown-remedy", "no mode of that name")
            raise Refused("not-compiled-in", "a mode sets lwIP as well; this firmware switches close alone")
        elif name in _STACK_REMEDIES:
            raise Refused("not-compiled-in", name + " is lwIP's; this firmware switches close alone")
        else:
            raise Refused("unknown-remedy", "no remedy " + _plain(name))
    return close


def _members_once(asked):
    """The members of an object, in their order."""
    if type(asked) is not list:
        raise Refused("bad-json", "set is not an object")
    seen = set()
    for name, _ in asked:
        if name in seen:
            raise Refused("bad-json", "in set, " + _plain(name) + " is given twice")
        seen.add(name)
    return asked


def _is_whole(value):
    """A bool is an int to Python and not to the protocol."""
    return type(value) is int and value >= 0


def _plain(word):
    """A peer's word only when it is short and plain: it goes into JSON and onto terminals."""
    if not 0 < len(word) < 25:
        return "of that name"
    for c in word:
        if c not in "abcdefghijklmnopqrstuvwxyz0123456789_-":
            return "of that name"
    return word
