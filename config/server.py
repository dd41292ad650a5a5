"""Daphne with a limit on what a client may send: a body is cut off while it arrives.

Daphne keeps a whole body, in memory or in a file, before our first line runs, so that a limit in
Django comes too late for the disk. (Its limit on a socket's message is 1 MB.)
"""

from io import BytesIO
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest

_REFUSAL = (
    b"HTTP/1.1 413 Content Too Large\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 10\r\nConnection: close\r\n\r\ntoo large\n"
)


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """A request whose body ends at `most` bytes, whatever its headers say."""

    most = 0
    refused = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Leave forms to Django: Twisted would read them whole, and cut off what it can't read."""
        super().__init__(*args, parsePOSTFormSubmission=False, **kwargs)

    def gotLength(self, length: int | None) -> None:  # noqa: N802 (Twisted's name)
        """Refuse by the length that the headers announce, before any of it is read."""
        if length is not None and length > self.most:
            self.content = BytesIO()
            self._refuse()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Count what comes without a length announced."""
        if not self.refused and self.content.tell() + len(data) > self.most:
            self._refuse()
        if not self.refused:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """Leave alone what was refused already."""
        return None if self.refused else super().process()

    def _refuse(self) -> None:
        self.refused = True
        self.channel.transport.write(_REFUSAL)
        self.channel.loseConnection()


def limit_bodies(factory: HTTPFactory, most: int) -> None:
    """Let no request through this factory send more than `most` bytes."""
    kind = type("BoundedRequest", (BoundedRequest,), {"most": most})
    build = factory.buildProtocol

    def bounded(address: Any) -> Any:
        protocol = build(address)
        protocol.requestFactory = kind
        return protocol

    factory.buildProtocol = bounded
