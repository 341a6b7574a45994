"""What differs between MicroPython on a chip, MicroPython on a PC, and CPython: clock, network, names.

Knows: what each of them lacks.
Refuses to know: HTTP and the control channel.
"""
import os
import socket
import sys
import time

try:
    import network
except ImportError:
    network = None  # a PC: its own network is there already


class Clock:
    """Milliseconds since start. MicroPython's own counter wraps after days, so it is followed, not read."""

    def __init__(self):
        self._last = _ticks_ms()
        self._total = 0

    def now_ms(self):
        ticks = _ticks_ms()
        self._total += _ticks_diff(ticks, self._last)
        self._last = ticks
        return self._total


if hasattr(time, "ticks_ms"):
    _ticks_ms = time.ticks_ms
    _ticks_diff = time.ticks_diff
else:

    def _ticks_ms():
        return time.monotonic_ns() // 1000000

    def _ticks_diff(later, earlier):
        return later - earlier


def join_wifi(config):
    """Waits until the network is there, however long that takes: without it there is nothing to do."""
    if network is None:
        return getattr(config, "ADDRESS", "127.0.0.1")
    network.hostname(config.HOSTNAME)
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    if not wlan.isconnected():
        wlan.connect(config.SSID, config.PASSWORD)
    waited = 0
    while not wlan.isconnected():
        time.sleep(1)
        waited += 1
        if waited % 15 == 0:
            print("Still no Wi-Fi %s after %d s (status %s)" % (config.SSID, waited, wlan.status()))
    return wlan.ifconfig()[0]


def bound_socket(kind, config, port):
    """A socket that does not wait. A chip listens on every address it has, a PC on its own unless told otherwise."""
    address = "0.0.0.0" if network else getattr(config, "ADDRESS", "127.0.0.1")
    made = socket.socket(socket.AF_INET, kind)
    if kind == socket.SOCK_STREAM:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(socket.getaddrinfo(address, port)[0][-1])
    made.setblocking(False)
    return made


def address_of(peer):
    """The octets of an address, without its port, from what recvfrom() tells."""
    if isinstance(peer, tuple):
        return peer[0].encode()
    return bytes(socket.sockaddr(peer)[1])  # MicroPython on a PC hands out the kernel's own structure


def count_starts(path):
    """How often this was run, kept in the file `path`, this run included; None where it cannot be kept."""
    count = 0
    try:
        with open(path) as file:
            count = int(file.read(10))
    except (OSError, ValueError):
        pass  # the first run, or a file that power was taken from while it was written
    count = count + 1 if 0 <= count < 0xFFFFFFFF else 1
    try:
        with open(path, "w") as file:
            file.write(str(count))
    except OSError:
        return None
    return count


def identity(firmware):
    version = ".".join([str(number) for number in sys.implementation.version[:3]])
    name = "MicroPython" if sys.implementation.name == "micropython" else "CPython"
    return {
        "firmware": firmware,
        "boot": int.from_bytes(os.urandom(4), "big"),  # another number at each start
        "boots": count_starts("boots"),
        "chip": sys.implementation.name + "-" + _machine(),
        # A script is not told which lwIP it runs on, only which MicroPython.
        "stack": ("lwIP of %s %s" if network else "this PC's, under %s %s") % (name, version),
    }


def _machine():
    """`esp32c3` of "ESP32C3 module with ESP32C3"."""
    told = getattr(sys.implementation, "_machine", "")
    if not told and network:
        told = os.uname().machine
    words = told.split(" with ")[-1].split()
    word = words[0] if words else sys.platform
    return "".join([c for c in word.lower() if c in "abcdefghijklmnopqrstuvwxyz0123456789_-"])
