#!/usr/bin/env python3
"""A mail server for tests and benchmarks: takes mail, and keeps it where it is told to.

    smtp_server.py [--port N] [--folder DIR] [--full FILE]

    --folder    each message becomes a file there, written to the disk before it is acknowledged
    --full      while this file exists, mail to everybody is refused for now, as by a server whose disk is full

Prints "listening on HOST:PORT". Mail to nobody@... is refused for good, mail to later@... for now. It encrypts nothing and asks for no
password. Standard library only.
"""
import argparse
import asyncio
import os
from pathlib import Path

NOBODY, LATER = "nobody@", "later@"


class Server:
    def __init__(self, folder=None, full=None):
        self.folder, self.full, self.count = folder, full, 0

    async def converse(self, reader, writer):
        try:
            await self.session(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def session(self, reader, writer):
        def say(text):
            writer.write(text.encode() + b"\r\n")

        say("220 mail.test ESMTP")
        while line := (await reader.readline()).decode(errors="replace"):
            verb = line[:4].upper()
            if verb in ("EHLO", "HELO"):
                say("250-mail.test\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8")
            elif verb == "RCPT" and NOBODY in line:
                say("550 5.1.1 No such user")
            elif verb == "RCPT" and self.full is not None and self.full.exists():
                say("452 4.3.1 Insufficient system storage")
            elif verb == "RCPT" and LATER in line:
                say("451 4.7.1 Greylisted, try again later")
            elif verb in ("MAIL", "RCPT", "RSET", "NOOP"):
                say("250 2.0.0 ok")
            elif verb == "DATA":
                say("354 go ahead")
                # A dot in front of a line is one too many.
                await writer.drain()
                content = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
                # On another thread: fsync holds up nobody else's conversation.
                await asyncio.to_thread(self.keep, content)
                say("250 2.0.0 kept")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                await writer.drain()
                return
            else:
                say("502 5.5.1 unknown command")
            await writer.drain()

    def keep(self, content):
        self.count += 1
        if self.folder is None:
            return
        path = self.folder / f"{self.count}-{os.urandom(4).hex()}.eml"
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--full", type=Path)
    args = parser.parse_args()
    server = await asyncio.start_server(Server(args.folder, args.full).converse, "127.0.0.1", args.port, limit=64 << 20, backlog=1024)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
