"""A gRPC app without a schema, and a client that uses each of the four kinds of calls.

grpc_echo.py serve                      prints its port
grpc_echo.py ask PORT ROOT.pem HOST     talks to HOST at PORT of this machine; prints "ok"
"""

import sys
import threading
import time
from concurrent import futures

import grpc

IDENTITY = dict(request_deserializer=None, response_serializer=None)


def unary(request, context):
    assert ("x-mine", "1") in context.invocation_metadata(), context.invocation_metadata()
    context.set_trailing_metadata([("x-trailer", "t")])
    return request


def fails(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing here: ü")


def server_stream(request, context):
    for number in range(5):
        yield request + str(number).encode()


def client_stream(requests, context):
    return b"|".join(requests)


def both(requests, context):
    for request in requests:
        yield request


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return {
            "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(unary),
            "/test.Echo/Fails": grpc.unary_unary_rpc_method_handler(fails),
            "/test.Echo/ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
            "/test.Echo/ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
            "/test.Echo/Both": grpc.stream_stream_rpc_method_handler(both),
        }.get(details.method)


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


def ask(port, root, host):
    credentials = grpc.ssl_channel_credentials(open(root, "rb").read())
    options = [("grpc.ssl_target_name_override", host), ("grpc.default_authority", host)]
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        response, call = channel.unary_unary("/test.Echo/Unary").with_call(b"hello", metadata=[("x-mine", "1")], timeout=15)
        assert response == b"hello"
        assert ("x-trailer", "t") in call.trailing_metadata(), call.trailing_metadata()
        large = bytes(3_000_000)
        assert channel.unary_unary("/test.Echo/Unary")(large, metadata=[("x-mine", "1")], timeout=15) == large
        for method, code in [("Fails", grpc.StatusCode.NOT_FOUND), ("None", grpc.StatusCode.UNIMPLEMENTED)]:
            try:
                channel.unary_unary(f"/test.Echo/{method}")(b"x", timeout=15)
                raise AssertionError("it should fail")
            except grpc.RpcError as error:
                assert error.code() == code, error
                assert method != "Fails" or error.details() == "nothing here: ü", error
        assert list(channel.unary_stream("/test.Echo/ServerStream")(b"n", timeout=15)) == [b"n0", b"n1", b"n2", b"n3", b"n4"]
        assert channel.stream_unary("/test.Echo/ClientStream")(iter([b"a", b"b"]), timeout=15) == b"a|b"
        talk(channel)
    print("ok")


def talk(channel):
    """Each message is only said when the one before was answered: nothing may be held back."""
    answered = threading.Semaphore(1)

    def messages():
        for number in range(20):
            answered.acquire()
            yield str(number).encode()

    begin = time.monotonic()
    for number, response in enumerate(channel.stream_stream("/test.Echo/Both")(messages(), timeout=15)):
        assert response == str(number).encode()
        answered.release()
    assert time.monotonic() - begin < 10


if sys.argv[1] == "serve":
    serve()
else:
    ask(*sys.argv[2:])
