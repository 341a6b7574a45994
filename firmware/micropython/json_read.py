"""A strict reader of JSON in ASCII, for requests of at most a kilobyte.

MicroPython's own takes a comma for white space and says nothing of a member given twice or of text after the end.

Knows: the grammar, and a bound on depth.
Refuses to know: what a member means. An object is a list of (name, value) in its order, doubles included, since only
its reader knows what to say of them; an array is a tuple; a number that is not whole, or not below 2^32, is
OTHER_NUMBER. Strings keep their escapes: no name or word of ours has one.
"""

DEPTH = 8
OTHER_NUMBER = -1


class NotJson(Exception):
    pass


def read_object(text):
    """The members of the one object that `text` (octets) consists of."""
    reader = _Reader(text)
    reader.skip_space()
    members = reader.members(0)
    reader.skip_space()
    if reader.at != len(text):
        raise NotJson()
    return members


class _Reader:
    def __init__(self, text):
        self.text = text
        self.at = 0

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else -1

    def take(self, character):
        if self.peek() == ord(character):
            self.at += 1
            return True
        return False

    def expect(self, character):
        if not self.take(character):
            raise NotJson()

    def one_of(self, characters):
        if self.at == len(self.text) or chr(self.text[self.at]) not in characters:
            raise NotJson()
        self.at += 1

    def skip_space(self):
        while self.peek() in (0x20, 0x09, 0x0D, 0x0A):
            self.at += 1

    def members(self, depth):
        self.expect("{")
        members = []
        self.skip_space()
        if self.take("}"):
            return members
        while True:
            self.skip_space()
            name = self.string()
            self.skip_space()
            self.expect(":")
            members.append((name, self.value(depth)))
            if self.take("}"):
                return members
            self.expect(",")

    def elements(self, depth):
        self.expect("[")
        elements = []
        self.skip_space()
        if self.take("]"):
            return ()
        while True:
            elements.append(self.value(depth))
            if self.take("]"):
                return tuple(elements)
            self.expect(",")

    def value(self, depth):
        """One value and the white space around it; `depth` counts the brackets it stands in, the outermost aside."""
        self.skip_space()
        first = self.peek()
        if first in (0x7B, 0x5B):
            if depth == DEPTH:
                raise NotJson()
            value = self.members(depth + 1) if first == 0x7B else self.elements(depth + 1)
        elif first == 0x22:
            value = self.string()
        elif first == 0x74:
            value = self.word(b"true", True)
        elif first == 0x66:
            value = self.word(b"false", False)
        elif first == 0x6E:
            value = self.word(b"null", None)
        else:
            value = self.number()
        self.skip_space()
        return value

    def word(self, word, value):
        if self.text[self.at : self.at + len(word)] != word:
            raise NotJson()
        self.at += len(word)
        return value

    def string(self):
        self.expect('"')
        start = self.at
        while True:
            octet = self.peek()
            if not 0x20 <= octet <= 0x7E:
                raise NotJson()  # the end, a control character, or not ASCII
            self.at += 1
            if octet == 0x22:
                return self.text[start : self.at - 1].decode()
            if octet == 0x5C:
                self.escape()

    def escape(self):
        if self.take("u"):
            for _ in range(4):
                self.one_of("0123456789abcdefABCDEF")
        else:
            self.one_of('"\\/bfnrt')

    def number(self):
        start = self.at
        whole = not self.take("-")
        if not self.take("0"):
            self.digits()
        digits = self.at - start
        if self.take("."):
            whole = False
            self.digits()
        if self.take("e") or self.take("E"):
            whole = False
            if not self.take("+"):
                self.take("-")
            self.digits()
        if not whole or digits > 10:
            return OTHER_NUMBER
        value = int(self.text[start : self.at].decode())
        return value if value <= 0xFFFFFFFF else OTHER_NUMBER

    def digits(self):
        start = self.at
        while 0x30 <= self.peek() <= 0x39:
            self.at += 1
        if self.at == start:
            raise NotJson()
