"""The server of the bug report: accepts, reads to the empty line, answers, and closes as it is told to.

Knows: one listening socket, a few connections, none of which can hold up the others.
Refuses to know: waiting (main.py waits for all of them), and who changes `close` and `stall_ms`.
"""
import errno
import select

# A browser opens spare connections and says nothing on them; they must not hold a place for ever.
IDLE_MS = 60000
# ESP-IDF gives ten sockets, and the listener and the control channel have one each.
CONNECTION_MAX = 8
BACKLOG = 5
_REQUEST_MAX = 1024
_BIG_MAX = 100000000
_STALL_PATH_MS = 3600000
# Sends in one turn: the control channel must answer while a large body goes out.
_SENDS_A_TURN = 8
# What a chip says when it could send nothing: ETIMEDOUT, even of a socket that does not wait.
_LATER = (errno.EAGAIN, errno.ETIMEDOUT)

_HELLO = b"Hello from esp-tcpwatch\n"
_BLOCK = b"0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz\n" * 8
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

_REQUEST, _STALL, _ANSWER, _CLOSED = range(4)


class Server:
    def __init__(self, listener, poller):
        self.close = "server-first"
        self.stall_ms = 0
        self._listener = listener
        self._poller = poller
        self._connections = []
        self._accepted = 0
        self._served = 0
        self._errors = 0
        listener.listen(BACKLOG)
        poller.register(listener, select.POLLIN)

    def counters(self):
        return {
            "accepted": self._accepted & 0xFFFFFFFF,
            "served": self._served & 0xFFFFFFFF,
            "errors": self._errors & 0xFFFFFFFF,
        }

    def run(self, now_ms):
        """Goes as far as it can without waiting. Each connection is tried: of eight, it is no use to ask which."""
        for connection in self._connections:
            self._served += connection.run(now_ms, self.stall_ms)
            if connection.failed:
                self._errors += 1
        self._connections = [c for c in self._connections if not c.closed()]
        for _ in range(BACKLOG):
            if not self._accept(now_ms):
                break

    def _accept(self, now_ms):
        """False when nobody was there."""
        try:
            socket = self._listener.accept()[0]
        except OSError:
            return False  # or no socket is left: then lwIP has reset that client already
        self._accepted += 1
        if len(self._connections) >= CONNECTION_MAX:
            self._errors += 1
            socket.close()
            return True
        socket.setblocking(False)
        # The way to close is taken at accept: a switch does not cut a running connection.
        self._connections.append(_Connection(socket, self._poller, self.close, now_ms))
        return True


class _Connection:
    def __init__(self, socket, poller, close, now_ms):
        self.failed = False
        self._socket = socket
        self._poller = poller
        self._close = close
        self._request = b""
        self._stall_asked = False
        self._head = b""  # what is left to send of it
        self._body_left = 0
        self._body_at = 0
        self._step_to(_REQUEST, now_ms)

    def closed(self):
        return self._step == _CLOSED

    def run(self, now_ms, stall_ms):
        """How many answers were completed."""
        served = 0
        if self._step == _REQUEST:
            self._read(now_ms)
        while self._step == _STALL and now_ms - self._since_ms >= (_STALL_PATH_MS if self._stall_asked else stall_ms):
            # After a pipelined request the next one is already here, and no poll() would tell.
            self._begin_answer(now_ms)
            served += self._send(now_ms)
        if self._step == _ANSWER:
            served += self._send(now_ms)
        return served

    def _step_to(self, step, now_ms):
        self._step = step
        self._since_ms = now_ms
        if step == _REQUEST:
            self._poller.register(self._socket, select.POLLIN)
        elif step == _ANSWER:
            self._poller.register(self._socket, select.POLLOUT)
        else:
            # Whoever waits for time alone must not be woken by a peer that has gone: it would be without end.
            self._poller.unregister(self._socket)

    def _read(self, now_ms):
        try:
            data = self._socket.recv(512)
        except OSError as error:
            if error.args[0] not in _LATER:
                self._end(True, now_ms)
            elif now_ms - self._since_ms >= IDLE_MS:
                self._end(len(self._request) > 0, now_ms)
            return
        if not data:
            # The client's FIN after an answer is how keep-alive and client-first are meant to end.
            self._end(len(self._request) > 0, now_ms)
            return
        self._since_ms = now_ms
        self._request += data
        if not self._take_request(now_ms) and len(self._request) > _REQUEST_MAX:
            # The head of a real browser is longer than we care to keep, and only its first line matters: keep that
            # much and the last octets, in which the empty line may have begun.
            self._request = self._request[: _REQUEST_MAX // 2] + self._request[-3:]

    def _take_request(self, now_ms):
        end = self._request.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._stall_asked = self._request.startswith(b"GET /stall")
        self._big = self._request.startswith(b"GET /big?")
        self._body_left = _number(self._request[9:end]) if self._big else len(_HELLO)
        self._request = self._request[end + 4 :]
        self._step_to(_STALL, now_ms)
        return True

    def _begin_answer(self, now_ms):
        if self._close == "server-first":
            # No length: the body ends with the connection, so the client waits for our FIN, and the device, not the
            # client, is left with TIME-WAIT.
            self._head = _HEAD + b"Connection: close\r\n\r\n"
        else:
            # `client-first` says close as well, but waits for the client to do it.
            word = "keep-alive" if self._close == "keep-alive" else "close"
            self._head = _HEAD + ("Content-Length: %d\r\nConnection: %s\r\n\r\n" % (self._body_left, word)).encode()
        if not self._big:
            # A short answer travels in one segment, as the server of the bug report sends it.
            self._head += _HELLO
            self._body_left = 0
        self._body_at = 0
        self._step_to(_ANSWER, now_ms)

    def _send(self, now_ms):
        """1 when the stack has taken all of the answer."""
        for _ in range(_SENDS_A_TURN):
            piece = self._head or memoryview(_BLOCK)[self._body_at : min(len(_BLOCK), self._body_at + self._body_left)]
            if len(piece) == 0:
                break
            try:
                taken = self._socket.send(piece)
            except OSError as error:
                if error.args[0] not in _LATER:
                    self._end(True, now_ms)
                return 0
            if self._head:
                self._head = self._head[taken:]
            else:
                self._body_at = (self._body_at + taken) % len(_BLOCK)
                self._body_left -= taken
        if self._head or self._body_left > 0:
            return 0
        if self._close == "server-first":
            self._end(False, now_ms)
        else:
            self._step_to(_REQUEST, now_ms)
            self._take_request(now_ms)
        return 1

    def _end(self, failed, now_ms):
        if self._step != _CLOSED:
            self._step_to(_CLOSED, now_ms)
        self._socket.close()
        self.failed = failed


def _number(text):
    """The decimal digits that `text` begins with, cut at what is sensible."""
    number = 0
    for octet in text:
        if not 0x30 <= octet <= 0x39 or number > _BIG_MAX:
            break
        number = number * 10 + octet - 0x30
    return min(number, _BIG_MAX)
