"""A network that misbehaves: a TCP proxy on 127.0.0.1 that stalls, cuts, slows or spoils what the server sends."""

import asyncio
import socket
import threading
from dataclasses import dataclass
from typing import Final, Literal, Self

_CHUNK: Final = 16 * 1024
_GARBAGE: Final = bytes(range(7, 256, 3)) * 40
_SLOW_SECONDS: Final = 0.01


@dataclass
class Fault:
    """What happens to a connection once so many bytes of the server's answers have come over it.

    `stall`: it stays open and nothing comes any more, in either direction. `reset` and `finish`: it is cut, rudely or
    politely. `garbage`: other bytes come instead, then it stays open. `slow`: 1.6 MB a second at most.
    `times`: so many connections meet it, then all is well again; None: every one does.
    """

    kind: Literal["stall", "reset", "finish", "garbage", "slow"]
    after: int = 0
    times: int | None = None
    met: int = 0


class Proxy:
    """Forwards to `127.0.0.1:port`. A context. Without `fault` it is a good network; `heal` makes it one again."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._fault: Fault | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def fail(self, fault: Fault) -> Fault:
        """From now on this fault."""
        self._fault = fault
        return fault

    def heal(self) -> None:
        """No fault any more. Connections that met one stay as they are."""
        self._fault = None

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._pumps:
            task.cancel()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            to_client.close()
            return
        stalled = asyncio.Event()
        up = asyncio.create_task(self._up(client, to_server, stalled))
        down = asyncio.create_task(self._down(server, to_client, stalled))
        self._pumps |= {up, down}
        await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        self._pumps -= {up, down}
        to_client.close()
        to_server.close()

    async def _up(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, stalled: asyncio.Event) -> None:
        while data := await client.read(_CHUNK):
            if not stalled.is_set():
                to_server.write(data)
                await to_server.drain()

    async def _down(
        self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, stalled: asyncio.Event
    ) -> None:
        passed = 0
        while data := await server.read(_CHUNK):
            fault = self._fault
            if fault and passed + len(data) > fault.after and (fault.times is None or fault.met < fault.times):
                if fault.kind == "slow":
                    await asyncio.sleep(_SLOW_SECONDS)
                else:
                    fault.met += 1
                    to_client.write(data[: max(0, fault.after - passed)])
                    await self._spoil(fault, to_client, stalled)
                    return
            to_client.write(data)
            await to_client.drain()
            passed += len(data)

    @staticmethod
    async def _spoil(fault: Fault, to_client: asyncio.StreamWriter, stalled: asyncio.Event) -> None:
        if fault.kind == "reset":
            end: socket.socket = to_client.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            to_client.transport.abort()
        elif fault.kind != "finish":
            if fault.kind == "garbage":
                to_client.write(_GARBAGE)
            stalled.set()
            await asyncio.Event().wait()
