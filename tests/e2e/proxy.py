"""proxy - a TCP proxy in user space with faults per directed link.

Each destination has one address, whoever connects; a connection belongs to the link from the
process that opened it, found in /proc by the connection's port. So nodes need no address of their
own for each peer. Faults of a link (source, destination):

    pass      all goes through
    delay     bytes arrive later, in order (seconds in `delay_s`)
    hold      what the source sends does not arrive, connections stay; it arrives after healing, as
              TCP sends again what a silent network lost. The other direction of the connection works.
    cut       connections are reset, and new ones as well
    lossy     each piece of data resets its connection with chance `chance`
    half_open the destination sees its connections end; the source does not, and what it sends vanishes

One thread with an event loop serves all; set() returns when the fault is in force.
"""

import asyncio
import os
import random
import socket
import struct
import threading

PIECE = 65536
KINDS = ("pass", "delay", "hold", "cut", "lossy", "half_open")


class Fault:
    """What a link does."""

    def __init__(self, kind="pass", delay_s=0.0, chance=0.0):
        if kind not in KINDS:
            raise ValueError(f"no such fault: {kind}")
        self.kind = kind
        self.delay_s = delay_s
        self.chance = chance


def connection_owner(local_port, remote_port, processes):
    """The name of the process that opened a loopback connection; {name: pid} are asked."""
    local = f"0100007F:{local_port:04X}"
    remote = f"0100007F:{remote_port:04X}"
    inode = None
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            words = line.split()
            if words[1] == local and words[2] == remote:
                inode = words[9]
    wanted = f"socket:[{inode}]"
    for name, pid in processes.items():
        try:
            for number in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{number}") == wanted:
                    return name
        except OSError:  # it ended, or closed the file, meanwhile
            continue
    return None


class _Connection:
    """One connection through the proxy."""

    def __init__(self, link, source, target):
        self.link = link
        self.source = source  # (reader, writer) of who connected
        self.target = target

    def reset(self):
        for _, writer in (self.source, self.target):
            _reset(writer)

    def end_target(self):
        self.target[1].close()


def _reset(writer):
    """End a connection with RST."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class _Link:
    """What one source sends to one destination."""

    def __init__(self):
        self.fault = Fault()
        self.changed = asyncio.Event()
        self.connections = set()

    def set(self, fault):
        self.fault = fault
        self.changed.set()
        self.changed = asyncio.Event()
        for connection in list(self.connections):
            self.strike(connection)

    def strike(self, connection):
        """What the fault in force does to a connection there is."""
        if self.fault.kind == "cut":
            connection.reset()
        elif self.fault.kind == "half_open":
            connection.end_target()

    async def passes(self, chance):
        """Wait until a piece of data may go on; False: it takes the connection with it."""
        while self.fault.kind == "hold":
            await self.changed.wait()
        if self.fault.kind == "delay":
            await asyncio.sleep(self.fault.delay_s)
        return self.fault.kind != "lossy" or chance.random() >= self.fault.chance


class Proxy:
    """Start with the names and processes that may connect: a function that gives {name: pid}."""

    def __init__(self, processes, seed=0):
        self.processes = processes
        self.chance = random.Random(seed)
        self.links = {}
        self.servers = []
        self.tasks = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def _link(self, source, destination):
        return self.links.setdefault((source, destination), _Link())

    def listen(self, destination, target_port, port=0):
        """Take connections to a destination; returns the port."""
        async def start():
            async def serve(reader, writer):
                task = asyncio.current_task()
                self.tasks.add(task)
                try:
                    await self._serve(destination, target_port, reader, writer)
                except asyncio.CancelledError:
                    pass  # close () wants that
                finally:
                    self.tasks.discard(task)
            server = await asyncio.start_server(serve, "127.0.0.1", port)
            self.servers.append(server)
            return server.sockets[0].getsockname()[1]
        return self._run(start())

    def set(self, source, destination, kind="pass", **settings):
        """Let a fault begin on a link, in place of what was."""
        fault = Fault(kind, **settings)

        async def change():
            self._link(source, destination).set(fault)
        self._run(change())

    def heal(self):
        """Let all links pass. Connections that are half open are reset: nothing else ends them."""
        async def change():
            for link in self.links.values():
                if link.fault.kind == "half_open":
                    link.set(Fault("cut"))
                link.set(Fault())
        self._run(change())

    def connections(self, source, destination):
        async def count():
            return len(self._link(source, destination).connections)
        return self._run(count())

    def close(self):
        async def end():
            for server in self.servers:
                server.close()
            for task in list(self.tasks):
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
        self._run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _serve(self, destination, target_port, reader, writer):
        source = connection_owner(writer.get_extra_info("peername")[1],
                                  writer.get_extra_info("sockname")[1], self.processes())
        link = self._link(source, destination)
        if source is None or link.fault.kind in ("cut", "half_open"):
            _reset(writer)
            return
        try:
            target = await asyncio.open_connection("127.0.0.1", target_port)
        except OSError:
            _reset(writer)
            return
        connection = _Connection(link, (reader, writer), target)
        link.connections.add(connection)
        link.strike(connection)  # one that began while this was being opened
        try:
            await asyncio.gather(self._forward(connection), self._backward(connection))
        except OSError:
            pass
        finally:
            link.connections.discard(connection)
            connection.reset()

    async def _forward(self, connection):
        link = connection.link
        while True:
            piece = await connection.source[0].read(PIECE)
            if not piece:
                connection.end_target()
                return
            if not await link.passes(self.chance):
                connection.reset()
                return
            if link.fault.kind != "half_open":
                connection.target[1].write(piece)
                await connection.target[1].drain()

    async def _backward(self, connection):
        while True:
            piece = await connection.target[0].read(PIECE)
            if piece:
                connection.source[1].write(piece)
                await connection.source[1].drain()
            elif connection.link.fault.kind == "half_open":
                return  # the source does not hear of it
            else:
                connection.source[1].close()
                return
