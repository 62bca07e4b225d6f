#!/usr/bin/env python3
"""python3-websockets as the client of our server and as the server of our client: messages, fragments,
pings, compression in both forms, subprotocols, close codes, refusals."""

import asyncio
import http
import os
import ssl

import program
from certificates import Certificates
from program import LIMIT, Case, Program, call_by_peer, serve_by_peer

try:
    import websockets
    import websockets.client
    import websockets.server
    from websockets.extensions.permessage_deflate import (ClientPerMessageDeflateFactory,
                                                          ServerPerMessageDeflateFactory)
    ABSENT = None
except ImportError:
    ABSENT = "python3-websockets is not installed"


def in_time(coroutine):
    async def bounded():
        return await asyncio.wait_for(coroutine, LIMIT)
    return asyncio.run(bounded())


def forgetful(factory):
    return factory(server_no_context_takeover=True, client_no_context_takeover=True)


class TheirClient(Case):
    def setUp(self):
        self.files = self.enterContext(Certificates())

    def url(self, server, path="/ws", scheme="ws"):
        return "%s://127.0.0.1:%d%s" % (scheme, server.address("packet")[1], path)

    async def echoes(self, client):
        for message in ("", "käse", "x" * 126, "y" * 70000, b"", bytes(range(256)) * 300):
            await client.send(message)
            self.assertEqual(await client.recv(), message)
        await client.send(["in ", "", "three ", "fragments"])
        self.assertEqual(await client.recv(), "in three fragments")
        await client.send([b"\x00" * 1000] * 100)
        self.assertEqual(await client.recv(), b"\x00" * 100000)
        await (await client.ping(b"are you there"))
        await client.close(4321, "enough")
        self.assertEqual(client.close_code, 4321)

    def test_messages_of_all_kinds(self):
        async def talk():
            async with websockets.client.connect(self.url(server), compression=None) as client:
                await self.echoes(client)
        with serve_by_peer(websocket="/ws") as server:
            in_time(talk())

    def test_compression_with_and_without_contexts(self):
        for how in ("forget", "takeover"):
            with self.subTest(how), serve_by_peer(websocket="/ws", deflate=how) as server:
                async def talk():
                    offer = [forgetful(ClientPerMessageDeflateFactory) if how == "forget"
                             else ClientPerMessageDeflateFactory()]
                    async with websockets.client.connect(self.url(server), compression=None,
                                                         extensions=offer) as client:
                        await client.send("info")
                        self.assertIn("compresses=1", await client.recv())
                        await self.echoes(client)
                in_time(talk())

    def test_subprotocols_are_agreed_on(self):
        async def talk():
            async with websockets.client.connect(self.url(server), subprotocols=["a", "b", "c"]) as client:
                self.assertEqual(client.subprotocol, "c")
        with serve_by_peer(websocket="/ws", subprotocols="c,b") as server:
            in_time(talk())

    def test_over_tls(self):
        trust = ssl.create_default_context(cafile=self.files.ca)

        async def talk():
            async with websockets.client.connect(self.url(server, scheme="wss"), ssl=trust,
                                                 server_hostname="localhost") as client:
                await self.echoes(client)
        with Program("serve", "echo", "--listen", "127.0.0.1:0", "--websocket", "/ws", "--tls-certificate",
                     self.files.certificate, "--tls-key", self.files.key) as server:
            async def binary():
                async with websockets.client.connect(self.url(server, scheme="wss"), ssl=trust,
                                                     server_hostname="localhost") as client:
                    await client.send(b"hello")
                    self.assertEqual(await client.recv(), b"hello")
            in_time(binary())
        with serve_by_peer(websocket="/ws", tls="any", certificate=self.files.certificate,
                           key=self.files.key) as server:
            in_time(talk())

    def test_another_path_is_refused(self):
        async def talk():
            with self.assertRaises(websockets.exceptions.InvalidStatusCode) as refused:
                await websockets.client.connect(self.url(server, "/other"))
            self.assertEqual(refused.exception.status_code, 404)
        with serve_by_peer(websocket="/ws") as server:
            in_time(talk())

    def test_a_message_over_the_limit_is_too_big(self):
        async def talk():
            async with websockets.client.connect(self.url(server)) as client:
                await client.send(b"z" * 2000)
                with self.assertRaises(websockets.exceptions.ConnectionClosed) as closed:
                    await client.recv()
                self.assertEqual(closed.exception.rcvd.code, 1009)
        with Program("serve", "echo", "--listen", "127.0.0.1:0", "--websocket", "/ws", "--packet-limit",
                     "1000B") as server:
            in_time(talk())

    def test_a_server_that_ends_goes_away(self):
        async def talk(server):
            async with websockets.client.connect(self.url(server)) as client:
                await client.send("here")
                await client.recv()
                os.kill(server.process.pid, 15)
                with self.assertRaises(websockets.exceptions.ConnectionClosed):
                    await client.recv()
                self.assertEqual(client.close_code, 1001)
        with serve_by_peer(websocket="/ws") as server:
            in_time(talk(server))
            server.process.wait(timeout=LIMIT)  # a second signal would end it by force


class TheirServer(Case):
    def serve_and_call(self, handler, options=None, **words):
        """What our client said of its echoes by `handler`."""
        async def both():
            async with websockets.server.serve(handler, "127.0.0.1", 0, ping_interval=0.05,
                                               **(options or {})) as server:
                port = server.sockets[0].getsockname()[1]
                return await asyncio.to_thread(call_by_peer, ("127.0.0.1", port), websocket="/ws", **words)
        return in_time(both())

    @staticmethod
    async def echo(client, *_):
        async for message in client:
            await client.send(message)

    def test_text_and_binary_messages(self):
        for words in ({}, {"text": 1}, {"size": 70000, "packets": 50}, {"size": 0}):
            with self.subTest(words):
                lines = self.serve_and_call(self.echo, {"compression": None}, **words)
                self.assertEqual(lines[-1], "done", lines)

    def test_fragmented_answers(self):
        async def handler(client, *_):
            async for message in client:
                await client.send([message[:10], b"", message[10:50], message[50:]])
        lines = self.serve_and_call(handler, {"compression": None})
        self.assertEqual(lines[-1], "done", lines)

    def test_compression_with_and_without_contexts(self):
        for how, factory in (("forget", forgetful), ("takeover", lambda make: make())):
            with self.subTest(how):
                lines = self.serve_and_call(
                    self.echo, {"compression": None, "extensions": [factory(ServerPerMessageDeflateFactory)]},
                    deflate=how, size=5000, packets=50, text=1)
                self.assertEqual(lines[-1], "done", lines)
                self.assertIn("compresses=1", lines[0])

    def test_subprotocol(self):
        lines = self.serve_and_call(self.echo, {"subprotocols": ["two", "three"]}, subprotocols="one,two")
        self.assertEqual(lines[-1], "done", lines)
        self.assertIn("subprotocol=two", lines[0])

    def test_a_refusal_is_told(self):
        async def refuse(path, headers):
            return http.HTTPStatus.FORBIDDEN, [], b"no\n"
        lines = self.serve_and_call(self.echo, {"process_request": refuse})
        self.assertIn("lost", lines[-1])
        self.assertIn("403", lines[-1])

    def test_our_end_is_told_with_a_code(self):
        codes = []

        async def handler(client, *_):
            async for message in client:
                await client.send(message)
            codes.append(client.close_code)
        lines = self.serve_and_call(handler)
        self.assertEqual(lines[-1], "done", lines)
        self.assertEqual(codes, [1001])

    def test_a_close_with_a_code_ends_the_connection(self):
        async def handler(client, *_):
            await client.recv()
            await client.close(1013, "try later")
        lines = self.serve_and_call(handler)
        self.assertTrue(lines[-1].startswith("lost closed"), lines)


if __name__ == "__main__":
    program.main(ABSENT)
