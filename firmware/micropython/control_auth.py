"""Who may change this device: one challenge, one signed request, no second use (docs/control-protocol.md).

Knows: the key, nonces and which were used, how often somebody may try.
Refuses to know: JSON, sockets, the clock (the time is an argument), and what a change is.

A nonce holds the time of its birth and a MAC of that and of the asker's address under a secret of this start: a flood
of challenges costs no memory. Used nonces are remembered for as long as they live. Cheap checks come first.
"""
import binascii
import hashlib

NONCE_LIFE_MS = 30000
# Births are counted in these, so that two requests in a row have nonces of their own.
_TICK_MS = 10
# Tries judged in one second; the host needs one.
_TRIES_A_SECOND = 10
# Changes taken in the life of one nonce.
_USED_MAX = 16
# What a signature is for stands in front of what is signed, so that one for another purpose is none.
_PURPOSE = b"esp-tcpwatch control 1\n"
_MAC_BEGIN = b',"mac":"'
_MAC_END = b'"}'

OK = "ok"
RETRY = "retry"  # this very request was taken already: answer it again, change nothing
NO_KEY = "no-key"
STALE = "stale-nonce"
BAD_MAC = "bad-mac"
SLOW_DOWN = "slow-down"


class Auth:
    def __init__(self, key, secret):
        """`key`: 64 hexadecimal digits, or empty: nobody may change anything. `secret`: octets drawn at this start."""
        self._key = None
        if key:
            self._key = _from_hex(key.lower(), 32)
            if self._key is None:
                raise ValueError("the key has 64 hexadecimal digits (openssl rand -hex 32), or is left empty")
        self._secret = secret
        self._used = []  # (when, nonce, MAC), the oldest first
        self._second = 0
        self._tries = 0

    def nonce(self, asker, now_ms):
        return _to_hex(self._nonce_born(asker, now_ms // _TICK_MS & 0xFFFFFFFF))

    def judge(self, asker, now_ms, datagram, nonce, mac):
        """`asker`: the octets of an address. `nonce` and `mac`: what was read under these names, of any type."""
        if self._key is None:
            return NO_KEY
        if not self._may_try(now_ms):
            return SLOW_DOWN
        given = _from_hex(nonce, 16)
        if given is None:
            return STALE
        born = int(nonce[:8], 16)
        age = (now_ms // _TICK_MS - born) & 0xFFFFFFFF
        if not _equal(given, self._nonce_born(asker, born)) or age > NONCE_LIFE_MS // _TICK_MS:
            return STALE
        given_mac = _from_hex(mac, 32)
        if given_mac is None:
            return BAD_MAC
        ending = _MAC_BEGIN + mac.encode() + _MAC_END
        if datagram[-len(ending) :] != ending:
            return BAD_MAC
        if not _equal(given_mac, hmac_sha256(self._key, _PURPOSE + datagram[: -len(ending)])):
            return BAD_MAC
        return self._use(now_ms, given, given_mac)

    def _use(self, now_ms, nonce, mac):
        for _, used_nonce, used_mac in self._used:
            if used_nonce == nonce:
                return RETRY if used_mac == mac else STALE
        # One second more than a nonce lives: ages are counted in ticks.
        while self._used and now_ms - self._used[0][0] > NONCE_LIFE_MS + 1000:
            self._used.pop(0)
        if len(self._used) >= _USED_MAX:
            return SLOW_DOWN
        self._used.append((now_ms, nonce, mac))
        return OK

    def _nonce_born(self, asker, tick):
        birth = tick.to_bytes(4, "big")
        return birth + hmac_sha256(self._secret, birth + asker)[:12]

    def _may_try(self, now_ms):
        second = now_ms // 1000
        if second != self._second:
            self._second = second
            self._tries = 0
        self._tries += 1
        return self._tries <= _TRIES_A_SECOND


def hmac_sha256(key, text):
    """RFC 2104, for keys of at most one block; stock MicroPython has no hmac."""
    padded = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes([octet ^ 0x36 for octet in padded]))
    inner.update(text)
    outer = hashlib.sha256(bytes([octet ^ 0x5C for octet in padded]))
    outer.update(inner.digest())
    return outer.digest()


def _equal(a, b):
    """In a time that tells nothing about where two texts of one length differ."""
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0


def _from_hex(text, length):
    """Lower-case digits only, exactly twice `length`; None when `text` is anything else."""
    if type(text) is not str or len(text) != 2 * length:
        return None
    for digit in text:
        if digit not in "0123456789abcdef":
            return None
    return binascii.unhexlify(text.encode())


def _to_hex(octets):
    return binascii.hexlify(octets).decode()
