"""The test firmware of esp-tcpwatch for a stock MicroPython board (README.md); a PC runs it as well.

Knows: the order of starting, and waiting.
"""
import gc
import os
import select
import socket

import board
import control
import control_auth
import http_server

try:
    import config
except ImportError:
    # No SystemExit: a board would take that for an order to start again, without a word and without end.
    raise RuntimeError("copy config.example.py to config.py, and put your Wi-Fi and a key into it")

FIRMWARE = "0.1.0"
# Stalls end and connections idle by this clock; nothing else needs a finer one.
LOOK_AGAIN_MS = 50


def main():
    auth = control_auth.Auth(config.KEY, os.urandom(32))
    address = board.join_wifi(config)
    http_port = getattr(config, "HTTP_PORT", 80)
    control_port = getattr(config, "CONTROL_PORT", 7777)
    clock = board.Clock()
    poller = select.poll()

    listener = board.bound_socket(socket.SOCK_STREAM, config, http_port)
    server = http_server.Server(listener, poller)
    # Control last, so that whoever hears it finds the server listening.
    datagrams = board.bound_socket(socket.SOCK_DGRAM, config, control_port)
    poller.register(datagrams, select.POLLIN)
    channel = control.Channel(datagrams, server, auth, board.identity(FIRMWARE), board.address_of)
    print("Listening on %s: HTTP on TCP port %d, control on UDP port %d" % (address, http_port, control_port))

    while True:
        poller.poll(LOOK_AGAIN_MS)
        try:
            now_ms = clock.now_ms()
            channel.run(now_ms)
            server.run(now_ms)
        except MemoryError:
            gc.collect()  # a chip's heap is small and scattered: lose this turn, not the server


main()
