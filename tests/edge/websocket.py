"""A WebSocket app that says back what it hears, and a client that holds it to that.

websocket.py serve                      prints its port
websocket.py ask PORT ROOT.pem HOST     talks to HOST at PORT of this machine; prints "ok" and what the app was told
"""

import asyncio
import os
import ssl
import sys

import websockets


async def echo(websocket):
    headers = websocket.request_headers
    await websocket.send(f"{headers['X-Forwarded-For']} {headers['X-Forwarded-Proto']}")
    async for message in websocket:
        await websocket.send(message)


async def serve():
    async with websockets.serve(echo, "127.0.0.1", 0, subprotocols=["chat"], max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


async def ask(port, root, host):
    context = ssl.create_default_context(cafile=root)
    url = f"wss://{host}/socket?x=y"
    options = dict(ssl=context, host="127.0.0.1", port=int(port), subprotocols=["chat"], max_size=None, server_hostname=host)
    async with websockets.connect(url, **options) as websocket:
        assert websocket.subprotocol == "chat", websocket.subprotocol
        told = await websocket.recv()
        for size in [0, 1, 125, 126, 65_535, 65_536, 5_000_000]:
            message = os.urandom(size)
            await websocket.send(message)
            assert await websocket.recv() == message, size
        # Both directions at once, more than any buffer on the way holds.
        messages = [os.urandom(100_000) for _ in range(100)]
        sending = asyncio.create_task(send_all(websocket, messages))
        for message in messages:
            assert await websocket.recv() == message
        await sending
        await (await websocket.ping())
    assert websocket.close_code == 1000, websocket.close_code
    print("ok", told)


async def send_all(websocket, messages):
    for message in messages:
        await websocket.send(message)


if sys.argv[1] == "serve":
    asyncio.run(serve())
else:
    asyncio.run(ask(*sys.argv[2:]))
