#!/usr/bin/env python3
"""A mail server that answers as it is told to, for the hunt of issue 14.

    smtp14.py [--host H] [--port N] [--folder DIR] [--offer WORD,WORD...] [--banner-name N] [--certificate PEM --key PEM]
              [--say STEP[@N|@N-]=ANSWER]... [--if-content REGEX=ANSWER]...

    --say      STEP: banner ehlo starttls auth mail rcpt data content rset quit. N: the how-manieth of its kind since the start, from 1;
               `@3-` from the third on; without it always. ANSWER: a reply (`550 5.1.1 no`; `\\n` starts another line), or one of
               close (hangs up), silent (says nothing more), wait:SECONDS (then the usual reply), keep+close and keep+silent (content
               only: keeps the mail, then hangs up or says nothing), idle-close:SECONDS (banner only: hangs up after so long)
    --if-content  answers the content so, where the whole raw message matches (flags s, i). Example: two signatures at SES:
               --if-content '^DKIM-Signature:.*^DKIM-Signature:=554 Transaction failed: Duplicate header ...'  (flag m, too)
    --offer    extensions besides 8BITMIME and ENHANCEDSTATUSCODES: SMTPUTF8, STARTTLS, "AUTH LOGIN", "AUTH XOAUTH2", ...
    --folder   each message that was kept: N.eml as it came (dots unstuffed), N.json with its envelope

Prints each line of each conversation: `connection> line`, `connection< line`. Standard library only (Python 3.11 for STARTTLS).
"""
import argparse
import asyncio
import base64
import json
import re
import ssl
import time
from collections import Counter
from pathlib import Path

STEPS = ("banner", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "content", "rset", "quit")


class HangUp(Exception):
    pass


class Rules:
    def __init__(self, texts, of_content):
        self.rules, self.counts = [], Counter()
        for text in texts:
            step, answer = text.split("=", 1)
            step, _, which = step.partition("@")
            assert step in STEPS, step
            first = int(which.rstrip("-")) if which else 1
            last = first if which and not which.endswith("-") else None
            self.rules.append((step, first, last, answer.replace("\\n", "\n")))
        self.of_content = []
        for text in of_content:
            # The answer begins with its code: `...=554 ...`
            found = re.fullmatch(r"(?s)(.+)=(\d{3} .*)", text)
            self.of_content.append((re.compile(found[1].encode(), re.S | re.I | re.M), found[2]))

    def of(self, step):
        self.counts[step] += 1
        n = self.counts[step]
        for of, first, last, answer in self.rules:
            if of == step and n >= first and (last is None or n <= last):
                return answer
        return None


class Session:
    def __init__(self, server, reader, writer, number):
        self.server, self.reader, self.writer, self.number = server, reader, writer, number
        self.encrypted, self.mail, self.to, self.user = False, None, [], None

    def say(self, text):
        for line in text.split("\n"):
            print(f"{self.number}< {line}", flush=True)
            self.writer.write(line.encode() + b"\r\n")

    async def answer(self, step, usual):
        """Says what the rules say, or the usual. Returns what was said."""
        told = self.server.rules.of(step)
        if told is None:
            self.say(usual)
            told = usual
        elif told == "close":
            raise HangUp
        elif told == "silent":
            await asyncio.sleep(3600)
        elif told.startswith("wait:"):
            await asyncio.sleep(float(told[5:]))
            self.say(usual)
            told = usual
        elif told.startswith("idle-close:"):
            asyncio.get_running_loop().call_later(float(told[11:]), self.writer.close)
            self.say(usual)
            told = usual
        elif told.startswith("keep+"):
            return told
        else:
            self.say(told)
        await self.writer.drain()
        return told

    async def line(self):
        line = await self.reader.readline()
        if line:
            # Others than CRLF show as they are.
            shown = line.decode(errors="backslashreplace")
            print(f"{self.number}> {shown[:-2] if shown.endswith(chr(13) + chr(10)) else repr(shown)}", flush=True)
        return line.decode(errors="surrogateescape")

    async def converse(self):
        name = self.server.name
        await self.answer("banner", f"220 {name} ESMTP")
        while line := await self.line():
            verb = line.split()[0].upper() if line.split() else ""
            if verb in ("EHLO", "HELO"):
                # A server that is encrypted already offers no STARTTLS.
                more = [word for word in self.server.offers if not (self.encrypted and word == "STARTTLS")]
                words = [name, "8BITMIME", "ENHANCEDSTATUSCODES", *more]
                await self.answer("ehlo", "\n".join(f"250{'-' if at + 1 < len(words) else ' '}{word}" for at, word in enumerate(words)))
            elif verb == "STARTTLS":
                told = await self.answer("starttls", "220 2.0.0 go ahead")
                if told.startswith("220"):
                    await self.writer.start_tls(self.server.tls)
                    self.encrypted = True
            elif verb == "AUTH":
                await self.authenticate(line.split())
            elif verb == "MAIL":
                told = await self.answer("mail", "250 2.1.0 ok")
                self.mail, self.to = (line.strip(), []) if told.startswith("250") else (None, [])
            elif verb == "RCPT":
                told = await self.answer("rcpt", "250 2.1.5 ok")
                if told.startswith("25"):
                    self.to.append(line.strip())
            elif verb == "DATA":
                if (await self.answer("data", "354 go ahead")).startswith("354"):
                    await self.content()
            elif verb == "RSET":
                await self.answer("rset", "250 2.0.0 ok")
            elif verb == "NOOP":
                self.say("250 2.0.0 ok")
            elif verb == "QUIT":
                await self.answer("quit", "221 2.0.0 bye")
                raise HangUp
            else:
                self.say("502 5.5.1 unknown command")
            await self.writer.drain()

    async def authenticate(self, words):
        if words[1].upper() == "LOGIN":
            for ask in ("VXNlcm5hbWU6", "UGFzc3dvcmQ6"):
                self.say(f"334 {ask}")
                await self.writer.drain()
                given = base64.b64decode((await self.line()).strip()).decode(errors="replace")
                self.user = self.user or given
        await self.answer("auth", "235 2.7.0 signed in")

    async def content(self):
        raw = bytearray()
        while True:
            line = await self.reader.readline()
            if not line:
                raise HangUp
            if line == b".\r\n":
                break
            if line in (b".\n", b".\r"):
                print(f"{self.number}! a lone dot that ends with {line[1:]!r}", flush=True)
            raw += line[1:] if line.startswith(b".") else line
        bare = len(re.findall(rb"(?<!\r)\n|\r(?!\n)", raw))
        longest = max((len(line) for line in raw.split(b"\r\n")), default=0)
        print(f"{self.number}> ({len(raw)} bytes, longest line {longest}, bare CR or LF {bare}, 8-bit {not raw.isascii()})", flush=True)
        for pattern, answer in self.server.rules.of_content:
            if pattern.search(bytes(raw)):
                self.say(answer)
                return
        told = await self.answer("content", "250 2.0.0 kept")
        if told.startswith(("250", "keep+")):
            self.server.keep(bytes(raw), self)
        if told == "keep+close":
            raise HangUp
        if told == "keep+silent":
            await asyncio.sleep(3600)


class Server:
    def __init__(self, args):
        self.rules = Rules(args.say, args.if_content)
        self.name, self.folder, self.kept, self.connections = args.banner_name, args.folder, 0, 0
        self.offers = [word.strip() for word in args.offer.split(",") if word.strip()]
        self.tls = None
        if args.certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(args.certificate, args.key)

    def keep(self, raw, session):
        self.kept += 1
        print(f"{session.number}! kept as {self.kept}", flush=True)
        if self.folder:
            about = {"at": time.time(), "mail": session.mail, "to": session.to, "encrypted": session.encrypted, "user": session.user}
            (self.folder / f"{self.kept}.eml").write_bytes(raw)
            (self.folder / f"{self.kept}.json").write_text(json.dumps(about))

    async def connected(self, reader, writer):
        self.connections += 1
        session = Session(self, reader, writer, self.connections)
        print(f"{session.number}! connected at {time.time():.1f}", flush=True)
        try:
            await session.converse()
        except (HangUp, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError) as error:
            print(f"{session.number}! ended: {error!r}", flush=True)
        finally:
            writer.close()


async def serve(args):
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
    server = Server(args)
    listening = await asyncio.start_server(server.connected, args.host, args.port, limit=64 << 20)
    print(f"listening on {args.host}:{listening.sockets[0].getsockname()[1]}", flush=True)
    async with listening:
        await listening.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2525)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--offer", default="")
    parser.add_argument("--banner-name", default="mail.test")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--say", action="append", default=[])
    parser.add_argument("--if-content", action="append", default=[])
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
