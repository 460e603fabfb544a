"""Encryption through ADBC and pyarrow.flight: certificates from files and the server's own, and certificates of clients."""

import socket
import ssl
import tempfile
import unittest
import urllib.request
from pathlib import Path

import adbc_driver_flightsql.dbapi
import adbc_driver_manager
import pyarrow
from adbc_driver_flightsql import DatabaseOptions
from identities import Authority
from messages import command
from pyarrow import flight
from server import Server, until
from test_login import connected, rows, user

ROOTS = DatabaseOptions.TLS_ROOT_CERTS.value
SKIP_VERIFY = DatabaseOptions.TLS_SKIP_VERIFY.value
OVERRIDE_HOSTNAME = DatabaseOptions.TLS_OVERRIDE_HOSTNAME.value
CERTIFICATE = DatabaseOptions.MTLS_CERT_CHAIN.value
KEY = DatabaseOptions.MTLS_PRIVATE_KEY.value


class WithTls(unittest.TestCase):
    """`server` has a certificate of an authority and asks clients for one of the same; `own` has made its own."""

    @classmethod
    def setUpClass(cls):
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.authority = Authority()
        cls.roots = cls.authority.pair.certificate
        certificate, key = cls.authority.server().write(folder, "server")
        ca, _ = cls.authority.pair.write(folder, "authority")
        cls.server = Server("--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", ca)
        cls.addClassCleanup(cls.server.stop)
        cls.own = Server("--tls-self-signed")
        cls.addClassCleanup(cls.own.stop)
        cls.own_roots = (cls.own.data / "tls-certificate.pem").read_text()
        cls.plain = Server()
        cls.addClassCleanup(cls.plain.stop)


class AdbcTls(WithTls):
    def refused(self, url, options, reason):
        with self.assertRaisesRegex(adbc_driver_manager.Error, reason):
            with connected(url, options) as connection:
                rows(connection, "SELECT 1")

    def test_a_client_is_who_its_certificate_says(self):
        client = self.authority.client("loader")
        options = {ROOTS: self.roots, CERTIFICATE: client.certificate, KEY: client.key}
        with connected(self.server.url, options) as loader:
            self.assertEqual(user(loader), "loader")
            with self.assertRaisesRegex(adbc_driver_manager.Error, "only an administrator"):
                rows(loader, "SHOW USERS")

    def test_without_a_certificate_of_its_own_a_client_is_nobody(self):
        self.refused(self.server.url, {ROOTS: self.roots}, "no credentials")

    def test_a_certificate_of_another_authority_s_opens_nothing(self):
        stranger = Authority().client("loader")
        options = {ROOTS: self.roots, CERTIFICATE: stranger.certificate, KEY: stranger.key}
        self.refused(self.server.url, options, "(?i)unavailable|certificate")

    def test_the_server_s_own_certificate(self):
        with connected(self.own.url, {ROOTS: self.own_roots}) as connection:
            self.assertEqual(rows(connection, "SELECT 1 AS one"), [{"one": 1}])

    def test_the_line_that_the_server_prints_connects(self):
        for server in (self.own, self.plain):
            line = next(line for line in server.announced if line.startswith("  ADBC     "))
            with eval(line.split(maxsplit=1)[1], {"adbc_driver_flightsql": adbc_driver_flightsql}) as connection:
                self.assertEqual(rows(connection, "SELECT 1 AS one"), [{"one": 1}])

    def test_a_certificate_that_is_not_checked(self):
        for url in (self.own.url, self.own.url.replace("127.0.0.1", "localhost")):
            with connected(url, {SKIP_VERIFY: "true"}) as connection:
                self.assertEqual(rows(connection, "SELECT 1 AS one"), [{"one": 1}])

    def test_a_certificate_is_good_for_its_names_only(self):
        self.refused(self.own.url, {ROOTS: self.own_roots, OVERRIDE_HOSTNAME: "elsewhere"}, "elsewhere")
        with connected(self.own.url, {ROOTS: self.own_roots, OVERRIDE_HOSTNAME: "localhost"}) as connection:
            self.assertEqual(rows(connection, "SELECT 1 AS one"), [{"one": 1}])

    def test_a_certificate_that_is_not_trusted(self):
        self.refused(self.own.url, {}, "certificate")
        self.refused(self.own.url, {ROOTS: self.roots}, "certificate")

    def test_the_wrong_scheme_fails_and_the_log_has_the_remedy(self):
        self.refused(f"grpc://{self.own.address}", {}, "(?i)unavailable|error reading")
        until("the log", lambda: "connect with grpc+tls:// instead of grpc://" in self.own.log())
        self.refused(f"grpc+tls://{self.plain.address}", {SKIP_VERIFY: "true"}, "(?i)unavailable|EOF")
        until("the log", lambda: "connect with grpc:// instead of grpc+tls://" in self.plain.log())


class HttpTls(WithTls):
    def test_health_is_told_over_tls_and_in_plain_text(self):
        self.assertTrue(self.own.http.startswith("https://"), self.own.http)
        context = ssl.create_default_context(cadata=self.own_roots)
        for url in (self.own.http, self.own.http.replace("https://", "http://"), self.plain.http):
            with self.subTest(url=url), urllib.request.urlopen(url + "/healthz", context=context) as answer:
                self.assertEqual(answer.read(), b"ok\n")

    def test_a_client_that_says_nothing_keeps_nobody_waiting(self):
        address = self.own.http.split("://")[1].split(":")
        context = ssl.create_default_context(cadata=self.own_roots)
        with socket.create_connection(address), urllib.request.urlopen(self.own.http + "/readyz", context=context) as answer:
            self.assertEqual(answer.status, 200)


class PyarrowTls(WithTls):
    def one(self, url, **options):
        with flight.connect(url, **options) as client:
            info = client.get_flight_info(command("CommandStatementQuery", {1: "SELECT 1 AS one"}))
            return client.do_get(info.endpoints[0].ticket).read_all().to_pylist()

    def test_roots(self):
        self.assertEqual(self.one(self.own.url, tls_root_certs=self.own_roots), [{"one": 1}])

    def test_a_client_is_let_in_by_its_certificate(self):
        client = self.authority.client("loader")
        one = self.one(self.server.url, tls_root_certs=self.roots, cert_chain=client.certificate, private_key=client.key)
        self.assertEqual(one, [{"one": 1}])
        with self.assertRaisesRegex(flight.FlightUnauthenticatedError, "no credentials"):
            self.one(self.server.url, tls_root_certs=self.roots)

    def test_a_certificate_that_is_not_checked(self):
        self.assertEqual(self.one(self.own.url, disable_server_verification=True), [{"one": 1}])

    def test_what_is_not_trusted_and_the_wrong_scheme(self):
        for url, options in (
            (self.own.url, {"tls_root_certs": self.roots}),
            (f"grpc://{self.own.address}", {}),
            (f"grpc+tls://{self.plain.address}", {"disable_server_verification": True}),
        ):
            with self.subTest(url=url), self.assertRaises((flight.FlightUnavailableError, pyarrow.ArrowException)):
                self.one(url, **options)


if __name__ == "__main__":
    unittest.main()
