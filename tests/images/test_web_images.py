"""Images of the web are fetched only on request, within limits, and from public servers."""

import contextlib
import http.server
import ipaddress
import socket
import ssl
import threading
import time

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from sklearn.base import clone

from multimodal_ensemble import FeatureStore, ImageEncoder
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import (
    FetchOptions,
    _downloads,
    _public_address,
    _web,
    content_digest,
    read_image,
    read_images,
)
from tests import toys
from tests.toys import png


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the path demands, and notes each request."""

    def do_GET(self):
        self.server.requests.append(self.path)
        self.server.headers.append(dict(self.headers))
        name = self.path.partition("?")[0].strip("/").split("/")
        with contextlib.suppress(OSError):
            getattr(self, f"send_{name[0]}")(*name[1:])

    def reply(self, content, status=200, kind="image/png", **headers):
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        headers = {"Content-Length": str(len(content)), **headers}
        for key, value in headers.items():
            if value is not None:
                self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def send_image(self, level="70", *_):
        self.reply(png(int(level)))

    def send_type(self, *kind):
        self.reply(png(70), kind="/".join(kind))

    def send_untyped(self):
        self.reply(png(70), kind=None)

    def send_status(self, status):
        self.reply(b"", int(status))

    def send_to(self, *rest):
        location = self.path.partition("?")[2]
        self.reply(b"", int(rest[0]), Location=location or None)

    def send_loop(self):
        self.reply(b"", 302, Location="/loop")

    def send_large(self):
        # More than it says, or without saying: the reader must stop.
        self.reply(b"x" * 100_000, **{"Content-Length": None})

    def send_declared(self):
        self.reply(b"x", **{"Content-Length": str(10**12)})

    def send_chunked(self):
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(100_000):
            self.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")

    def send_short(self):
        self.reply(png(70)[:-9], **{"Content-Length": str(len(png(70)))})

    def send_compressed(self):
        self.reply(png(70), Content_Encoding="gzip")

    def send_drip(self):
        # One byte at a time never exceeds the time limit of a single read.
        self.send_response(200)
        self.end_headers()
        self.drip()

    def send_headers(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        self.drip()

    def send_nonsense(self):
        self.wfile.write(b"\x00\x01 no web server\r\n\r\n")

    def drip(self):
        for _ in range(200):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.02)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def running():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.headers = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(running, monkeypatch):
    """Return a server on the loopback address, which counts as public in this test."""
    monkeypatch.setattr(_public_address, "is_public", lambda address: address == "127.0.0.1")
    forget(monkeypatch)
    running.requests.clear()
    running.headers.clear()
    running.address = f"http://127.0.0.1:{running.server_port}"
    return running


def forget(monkeypatch):
    monkeypatch.setattr(_web, "DOWNLOADS", _downloads.Downloads())
    monkeypatch.setattr(_web, "_FAILURES", _web._Failures())


OPTIONS = FetchOptions(max_bytes=50_000, timeout=2)


def fetch(address, **changes):
    return read_image(address, 2, fetch=FetchOptions(**{**OPTIONS.get_config(), **changes}))


def refused(address, match, **changes):
    with pytest.raises(ImageReadError, match=match) as caught:
        fetch(address, **changes)
    assert caught.value.strerror


def test_an_image_of_the_web_has_the_pixels_and_the_digest_of_a_file(server):
    address = f"{server.address}/image/70"
    with pytest.raises(ImageReadError, match="not fetched without fetch="):
        read_image(address, 2)
    assert fetch(address).tolist() == read_image(png(70), 2).tolist()
    assert content_digest(address, fetch=OPTIONS, root="posters") == content_digest(png(70))
    # It is fetched once, with nothing but the address.
    assert server.requests == ["/image/70"]
    assert server.headers[0]["Host"] == f"127.0.0.1:{server.server_port}"
    assert not {"Cookie", "Authorization"} & {*server.headers[0]}


def test_names_with_spaces_and_other_letters_are_quoted(server):
    fetch(f"{server.address}/image/70/größe a%20b?c=d é")
    assert server.requests == ["/image/70/gr%C3%B6%C3%9Fe%20a%20b?c=d%20%C3%A9"]
    refused(
        f"{server.address}/image/70\r\nX-Header: 1", "the server answered|complete|identify|404|"
    )


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("status/404", "the server answered 404"),
        ("status/500", "the server answered 500"),
        ("type/text/html", "the server sent text/html in place of an image"),
        ("large", "larger than max_bytes=50000"),
        ("declared", "larger than max_bytes=50000"),
        ("chunked", "larger than max_bytes=50000"),
        ("short", "it is cut short: [0-9]+ of [0-9]+ bytes"),
        ("compressed", "a compressed answer, which was not asked for"),
        ("nonsense", "the server's answer cannot be read"),
        ("loop", "more than 3 redirects"),
        ("to/302", "the server answered 302 without a new address"),
        ("to/302?ftp://example.org/a.png", "only addresses of http: and https: are fetched"),
        ("to/302?file:///etc/passwd", "only addresses of http: and https: are fetched"),
        ("to/302?http://user:word@127.0.0.1/", "with a user name or password"),
        ("to/307?http://[::1]/", "is not public"),
        ("to/301?http://10.0.0.1/a.png", "the address of '10.0.0.1', 10.0.0.1, is not public"),
        ("to/308?//169.254.169.254/latest", "169.254.169.254, is not public"),
    ],
)
def test_answers_that_are_refused(server, path, match):
    refused(f"{server.address}/{path}", match)


@pytest.mark.parametrize("path", ["drip", "headers"])
def test_slow_servers_are_cut_off_at_the_deadline(server, path):
    start = time.monotonic()
    refused(f"{server.address}/{path}", r"not complete after 0\.3 seconds", timeout=0.3)
    assert time.monotonic() - start < 2


def test_a_server_that_never_answers_is_cut_off(server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        refused(address, r"not complete after 0\.3 seconds", timeout=0.3)


PATHS = ["type/application/octet-stream", "type/image/bmp", "untyped", "to/302?/image/70"]


@pytest.mark.parametrize("path", PATHS)
def test_answers_that_are_accepted(server, path):
    assert fetch(f"{server.address}/{path}").max() == 70


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("http://127.0.0.1/a.png", "is not public"),
        ("http://localhost/a.png", "is not public"),
        ("http://[::ffff:127.0.0.1]/a.png", "is not public"),
        ("http://0x7f.1/a.png", "is not public"),
        ("http://2130706433/a.png", "is not public"),
        ("https://user@example.org/", "with a user name or password"),
        ("http:///a.png", "only addresses of http: and https:"),
        ("http://a:port/", "no valid address"),
        ("http://[::1/", "no valid address"),
        ("http://" + "a" * 70 + ".org/", "no name of a server"),
    ],
)
def test_addresses_that_are_refused(address, match, monkeypatch):
    forget(monkeypatch)
    refused(address, match)


def test_the_address_that_was_checked_is_connected_to(server, monkeypatch):
    # A name server that answers with another address at each question.
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1", "127.0.0.1"]])
    asked = []

    def resolve(host, port, **options):
        asked.append(host)
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, 6, "", (address, port)) for address in next(answers)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = server.server_port
    assert fetch(f"http://images.example:{port}/image/1").max() == 1
    refused(f"http://images.example:{port}/image/2", "of 'images.example', 10.0.0.1, is not public")
    # Only the public one of two addresses is asked.
    assert fetch(f"http://images.example:{port}/image/3").max() == 3
    assert asked == ["images.example"] * 3
    assert server.headers[0]["Host"] == f"images.example:{port}"


def test_only_the_servers_of_a_list_are_asked(server):
    assert fetch(f"{server.address}/image/5", hosts=["127.0.0.1"]).max() == 5
    refused(f"{server.address}/image/6", "not among the hosts of Fetch", hosts=["a.example"])
    assert server.requests == ["/image/5"]


def test_a_redirect_to_an_unsafe_connection_is_refused():
    class Answer:
        status = 302

        def getheader(self, name):
            return "http://example.org/a.png"

    with pytest.raises(OSError, match="redirected from https: to http:"):
        _web._follow("https://example.org/", Answer())


def test_certificates_are_checked(server):
    assert _web._tls_context().verify_mode == ssl.CERT_REQUIRED
    assert _web._tls_context().check_hostname
    refused(server.address.replace("http:", "https:"), "SSL")


def test_an_address_that_failed_is_not_asked_again_for_a_minute(server, monkeypatch):
    address = f"{server.address}/status/404"
    for _ in range(3):
        refused(address, "the server answered 404")
    assert server.requests == ["/status/404"]
    monkeypatch.setattr(_web, "_SECONDS_UNTIL_NEXT_TRY", 0)
    monkeypatch.setattr(_web, "_FAILURES", _web._Failures())
    refused(address, "404")
    refused(address, "404")
    assert len(server.requests) == 3


@given(st.ip_addresses())
@example(ipaddress.ip_address("::ffff:8.8.8.8"))
@example(ipaddress.ip_address("64:ff9b::7f00:1"))
@example(ipaddress.ip_address("2002:7f00:1::"))
@example(ipaddress.ip_address("fe80::1"))
@example(ipaddress.ip_address("255.255.255.255"))
@example(ipaddress.ip_address("100.64.0.1"))
@settings(max_examples=300)
def test_no_special_address_is_public(ip):
    is_special = (
        not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_link_local
    )
    if is_special:
        assert not _public_address.is_public(str(ip))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "223.1.2.3"])
def test_ordinary_addresses_are_public(address):
    assert _public_address.is_public(address)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"max_bytes": 0}, "max_bytes must be"),
        ({"timeout": 0}, "timeout must be a number of seconds above 0"),
        ({"timeout": float("inf")}, "timeout must be"),
        ({"timeout": True}, "timeout must be"),
        ({"max_redirects": -1}, "max_redirects must be"),
        ({"hosts": "example.org"}, "hosts must be a list of names"),
    ],
    ids=str,
)
def test_limits_are_checked(options, match):
    with pytest.raises(ValueError, match=match):
        FetchOptions(**options)
    with pytest.raises(
        ValueError, match=r"fetch must be a multimodal_ensemble.images.FetchOptions"
    ):
        ImageEncoder("poster", fetch=True)


def test_an_encoder_fetches_each_image_once_and_is_saved_with_the_limits(server, tmp_path):
    addresses = [f"{server.address}/image/{level}" for level in (10, 20, 30)]
    lost = f"{server.address}/status/410"
    encoder = toys.make_poster(on_error="missing", optional=True, fetch=OPTIONS)
    with pytest.warns(UserWarning, match="1 image cannot be read"):
        missing = encoder.find_missing([*addresses, lost])
    assert missing.tolist() == [False] * 3 + [True]
    assert encoder.unreadable == {lost: "the server answered 410"}
    store = FeatureStore(tmp_path / "store")
    features = store.get_features(encoder, addresses, verbose=0)
    assert sorted(server.requests) == [
        *(f"/image/{level}" for level in (10, 20, 30)),
        "/status/410",
    ]
    files = [png(level) for level in (10, 20, 30)]
    assert store.count_uncomputed(encoder, files) == 0
    np.testing.assert_array_equal(features, store.get_features(encoder, files, verbose=0))
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(encoder))
    assert copy.fetch == OPTIONS
    assert clone(encoder).fetch == OPTIONS
    assert encoder.without_backbone().fetch == OPTIONS
    assert read_images(
        [addresses[0], lost], 2, on_error="drop", fetch=OPTIONS, warn=False
    ).kept == [0]
