"""A small client for Dongting, written from docs/PROTOCOL.md alone.

Needs pyzmq and msgpack. `Client` keeps many requests in flight over a DEALER socket; `ReqClient` asks
one request at a time over a REQ socket; `Session` makes writes happen exactly once; `Watch` hears of changes.
"""

import random
import time
from collections import namedtuple

import msgpack
import zmq

PING, HELLO, GET, PUT, STATUS = 1, 2, 5, 6, 46
REMOVE, MKDIR, LIST = 70, 71, 72
BATCH_GET, BATCH_PUT, BATCH_REMOVE, COMPARE_AND_SET = 73, 74, 75, 76
WATCH_OPEN, WATCH_REMOVE, WATCH_ADD, WATCH_ACK, WATCH_LIST = 77, 78, 79, 95, 98
SESSION_OPEN, SESSION_CLOSE, SESSION_KEEPALIVE, SNAPSHOT_TAKE = 90, 91, 92, 100

PARENTS, PREVIOUS, RECURSIVE, KEYS_ONLY, META, ATOMIC, COUNT_ONLY = 1, 2, 4, 8, 16, 32, 64

# What compare_and_set compares.
BY_VALUE, BY_VERSION, BY_INDEX = 0, 1, 2

SUCCESS, NOT_FOUND, OVERWRITTEN = 0, 2, 3
CAS_MISMATCH, SESSION_UNKNOWN, SESSION_SEQ_STALE = 14, 31, 32
MALFORMED, UNKNOWN_OPERATION = 64, 66
NOT_READY, BUSY, OUTCOME_UNKNOWN = 69, 70, 77

FRAME_BYTES_MAX = 8 * 1024 * 1024

Reply = namedtuple("Reply", "id code index body extras")


class DongtingError(Exception):
    """A reply whose code is not among those the caller expects."""

    def __init__(self, reply):
        message = reply.extras.get(3, b"")
        if isinstance(message, bytes):
            message = message.decode("utf-8", "replace")
        super().__init__(f"code {reply.code}" + (f": {message}" if message else ""))
        self.reply = reply
        self.code = reply.code


class NoAnswer(Exception):
    """The time limit passed without a reply: a write may or may not have happened."""


def pack_request(number, operation, body, group, timeout_ms, options):
    request = [number, operation, group, timeout_ms, body]
    if options:
        request.append(options)
    return msgpack.packb(request, use_bin_type=True)


def unpack_replies(frame):
    """All replies of a body frame. Trailing elements of later versions are ignored."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=FRAME_BYTES_MAX)
    unpacker.feed(frame)
    for reply in unpacker:
        yield Reply(*reply[:4], reply[4] if len(reply) > 4 else {})


def configure(socket):
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
    socket.setsockopt(zmq.SNDTIMEO, 5000)


class Operations:
    """The store's operations, for every class that has call (operation, body, **options)."""

    def ping(self):
        return self.call(PING, None)

    def hello(self, name="python"):
        """Protocol version, cluster, node, a client id, limits and groups, as a dictionary."""
        body = self.call(HELLO, [1, 0, name]).body
        names = "version features cluster_id node_id client_id limits groups server_version"
        return dict(zip(names.split(), body))

    def status(self):
        return self.call(STATUS, None).body

    def get(self, path, **options):
        """The value, None for a directory. KeyError if there is no such node."""
        reply = self.call(GET, [path], expect=(SUCCESS, NOT_FOUND), **options)
        if reply.code == NOT_FOUND:
            raise KeyError(path)
        return reply.body[1]

    def put(self, path, value, flags=0, **options):
        expect = (SUCCESS, OVERWRITTEN)
        return self.call(PUT, [path, value, flags], expect=expect, **options)

    def mkdir(self, path, flags=0, **options):
        return self.call(MKDIR, [path, flags], **options)

    def remove(self, path, flags=0, **options):
        return self.call(REMOVE, [path, flags], **options)

    def list(self, path, flags=0, page=1000):
        """Yield (name, node) of a directory's children, in pages; node is None for KEYS_ONLY."""
        after = None
        while True:
            body = [path, flags, page, 1 << 20]
            if after is not None:
                body.append(after)
            items, after, _ = self.call(LIST, body).body
            for item in items:
                yield item[0], item[1] if len(item) > 1 else None
            if after is None:
                return

    def compare_and_set(self, path, condition, expected, value, flags=0, **options):
        """True if the condition held and the node was changed."""
        body = [path, condition, expected, value, flags]
        reply = self.call(COMPARE_AND_SET, body, expect=(SUCCESS, CAS_MISMATCH), **options)
        return reply.code == SUCCESS

    def batch_put(self, pairs, flags=0, **options):
        return self.call(BATCH_PUT, [[list(pair) for pair in pairs], flags], **options).body

    def batch_get(self, paths, **options):
        return self.call(BATCH_GET, [list(paths)], **options).body

    def batch_remove(self, paths, flags=0, **options):
        return self.call(BATCH_REMOVE, [list(paths), flags], **options).body


def checked(reply, expect):
    if reply.code not in expect:
        raise DongtingError(reply)
    return reply


class Client(Operations):
    """Many requests in flight over one DEALER. Not for several threads."""

    def __init__(self, endpoint, group=0, timeout=5.0, context=None):
        self.group = group
        self.timeout = timeout
        self.client_id = random.getrandbits(63) | 1
        self._context = context or zmq.Context.instance()
        self._socket = self._context.socket(zmq.DEALER)
        configure(self._socket)
        self._socket.connect(endpoint)
        self._next_id = 1
        self._queue = []  # packed requests not sent yet
        self._replies = {}  # replies nobody has waited for yet
        self._waiting = set()  # ids sent whose reply has not come

    def close(self):
        self._socket.close()

    def send(self, operation, body, options=None):
        """Queue a request; returns its id. flush or wait sends what is queued as one frame."""
        number = self._next_id
        self._next_id += 1
        timeout_ms = int(self.timeout * 1000)
        self._queue.append(pack_request(number, operation, body, self.group, timeout_ms, options))
        self._waiting.add(number)
        return number

    def flush(self):
        if self._queue:
            header = msgpack.packb({1: self.client_id})
            try:
                self._socket.send(header + b"".join(self._queue))
            except zmq.Again:
                raise NoAnswer("not connected") from None
            finally:
                self._queue = []

    def wait(self, number):
        """The reply to one request, whatever its code."""
        self.flush()
        deadline = time.monotonic() + self.timeout + 1.0
        while number not in self._replies:
            left = deadline - time.monotonic()
            if left <= 0 or not self._socket.poll(int(left * 1000) + 1):
                self._waiting.discard(number)
                raise NoAnswer(f"no answer to request {number}")
            for reply in unpack_replies(self._socket.recv()):
                if reply.id in self._waiting:  # else one we no longer wait for
                    self._waiting.discard(reply.id)
                    self._replies[reply.id] = reply
        return self._replies.pop(number)

    def call(self, operation, body, expect=(SUCCESS,), options=None):
        return checked(self.wait(self.send(operation, body, options)), expect)


class ReqClient(Operations):
    """One request at a time over a REQ socket."""

    def __init__(self, endpoint, group=0, timeout=5.0, context=None):
        self.group = group
        self.timeout = timeout
        self._socket = (context or zmq.Context.instance()).socket(zmq.REQ)
        configure(self._socket)
        self._socket.connect(endpoint)
        self._next_id = 1

    def close(self):
        self._socket.close()

    def ask(self, operation, body):
        """The reply to one request, whatever its code. Not usable any more after NoAnswer."""
        number = self._next_id
        self._next_id += 1
        timeout_ms = int(self.timeout * 1000)
        try:
            self._socket.send(pack_request(number, operation, body, self.group, timeout_ms, None))
        except zmq.Again:
            raise NoAnswer("not connected") from None
        if not self._socket.poll(timeout_ms + 1000):
            raise NoAnswer(f"no answer to request {number}")
        (reply,) = unpack_replies(self._socket.recv())
        if reply.id != number:
            raise ValueError(f"asked {number}, answered {reply.id}")
        return reply

    def call(self, operation, body, expect=(SUCCESS,), options=None):
        if options:
            raise ValueError("this client sends no options")
        return checked(self.ask(operation, body), expect)


class Session:
    """Writes that happen exactly once, however often they are sent."""

    def __init__(self, client, ttl_ms=30000):
        self.client = client
        self.id, self.ttl_ms = client.call(SESSION_OPEN, [ttl_ms]).body
        self._next_seq = 1
        self._open = {1}  # seqs whose reply has not come, and the next one

    def begin(self):
        """The number of a new write. settle it when its reply has come."""
        seq = self._next_seq
        self._next_seq += 1
        self._open.add(self._next_seq)
        return seq

    def settle(self, seq):
        self._open.discard(seq)

    def send_once(self, operation, body, seq):
        """Send the write numbered seq, perhaps for the second time."""
        options = {1: seq, 2: self.id, 3: min(self._open)}
        return self.client.wait(self.client.send(operation, body, options))

    def write(self, operation, body, retries=5):
        """Carry out one write; sends it again, under the same seq, until its outcome is known."""
        seq = self.begin()
        for _ in range(retries):
            try:
                reply = self.send_once(operation, body, seq)
            except NoAnswer:
                continue
            if reply.code not in (NOT_READY, BUSY, OUTCOME_UNKNOWN):
                self.settle(seq)
                return reply
            time.sleep(0.05)
        raise NoAnswer(f"the outcome of seq {seq} is unknown")

    def keepalive(self):
        return self.client.call(SESSION_KEEPALIVE, [self.id])

    def close(self):
        return self.client.call(SESSION_CLOSE, [self.id])


# What a push of a watch is.
CHANGES, CHANGES_MORE, STATE, STATE_END, PROGRESS, ENDED, RESYNC = 1, 2, 3, 4, 5, 6, 8
PUT_EVENT, REMOVE_EVENT = 1, 2

Event = namedtuple("Event", "kind index operation path node previous")


class WatchEnded(Exception):
    """The watch cannot go on: changes were lost (42), or are not kept any more (39)."""

    def __init__(self, code, resume_index):
        super().__init__(f"the watch ended with code {code} behind index {resume_index}")
        self.code = code
        self.resume_index = resume_index


class Watch:
    """Changes at and below a path. When its node goes away it continues at another one, behind the
    last index of which everything was taken: nothing is lost and nothing comes twice."""

    SILENCE_S = 3.0  # a node that says nothing for so long is left; it speaks every second

    def __init__(self, endpoints, path="", depth=2, initial=False, after=None, filters=0, group=0):
        self.index = after  # everything up to here was taken; None: nothing yet
        self._endpoints = list(endpoints)
        self._at = -1
        self._path, self._depth, self._filters, self._group = path, depth, filters, group
        self._initial = initial  # still to come, or not complete
        self._socket = None
        self._held = []  # changes of an entry, or of initial state, of which more is to come

    def close(self):
        if self._socket:
            self._socket.close()
        self._socket = None

    def poll(self, timeout=10.0):
        """The next events, whole entries only; an empty list if none came in time. Initial state
        comes as one list, ended by an event of kind STATE_END. WatchEnded."""
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            if not self._socket and not self._connect(left):
                continue
            if not self._socket.poll(int(min(left, self.SILENCE_S) * 1000) + 1):
                if left > self.SILENCE_S:
                    self.close()
                continue
            events = []
            for reply in unpack_replies(self._socket.recv()):
                if self._socket and reply.id == 1:
                    events += self._take(reply)
            if events:
                return events

    def _send(self, number, operation, body, options=None):
        try:
            self._socket.send(pack_request(number, operation, body, self._group, 2000, options))
        except zmq.Again:
            pass  # not connected: the answer that does not come tells

    def _connect(self, left):
        """Open the stream and the watch on the next node."""
        self._at = (self._at + 1) % len(self._endpoints)
        self._held = []
        self._seq = 0
        self._socket = zmq.Context.instance().socket(zmq.DEALER)
        configure(self._socket)
        self._socket.setsockopt(zmq.SNDTIMEO, 1000)
        self._socket.connect(self._endpoints[self._at])
        self._send(1, WATCH_OPEN, None)
        opened = self._answer(1, left)
        if opened and opened.code == SUCCESS:
            self._stream = opened.body[1]
            options = {1: self._depth, 5: self._filters, 4: self._initial}
            if self.index is not None:
                options[3] = self.index
            self._send(2, WATCH_ADD, [self._stream, [[1, self._path, options]]])
            added = self._answer(2, left)
            if added and added.code == SUCCESS:
                code = added.body[0][1]
                if code:
                    self.close()
                    raise WatchEnded(code, self.index)
                if self.index is None:
                    self.index = added.index
                return True
        self.close()
        time.sleep(0.05)
        return False

    def _answer(self, number, left):
        if not self._socket.poll(int(min(left, self.SILENCE_S) * 1000) + 1):
            return None
        for reply in unpack_replies(self._socket.recv()):
            if reply.id == number:
                return reply
        return None

    def _take(self, reply):
        if reply.code != SUCCESS:  # the stream ended: go on elsewhere
            self.close()
            return []
        kind, seq, items = reply.body[:3]
        if seq != self._seq + 1:  # a push was lost on the way
            self.close()
            return []
        self._seq = seq
        self._send(3, WATCH_ACK, [self._stream, seq], {5: 2})
        if kind == ENDED:
            self.close()
            raise WatchEnded(items[0][1], items[0][2])
        if kind == RESYNC:
            self._initial = True
            self._held = []
        elif kind != PROGRESS:
            for item in items:
                values = list(item[1:]) + [None] * (6 - len(item))
                self._held.append(Event(kind, *values))
        if kind == STATE_END:
            self._initial = False
        if kind == CHANGES_MORE or self._initial:
            return []
        if kind != STATE:
            self.index = reply.index
        events, self._held = self._held, []
        return events
