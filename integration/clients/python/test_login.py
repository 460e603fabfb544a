"""pyarrow.flight and ADBC log in, in each of the ways they know."""

import base64
import contextlib
import tempfile
import unittest
from pathlib import Path

import adbc_driver_flightsql.dbapi as flight_sql
import adbc_driver_manager
from adbc_driver_flightsql import DatabaseOptions
from identities import Issuer
from messages import command
from pyarrow import flight
from server import Server

# Colons, blanks and letters of other alphabets are all part of a password.
PASSWORD = "pferd: ärgert & 馬?"
TOKEN = "0123456789abcdef0123456789abcdef"


class WithUsers(unittest.TestCase):
    """A server with the user ada, the token of loader, who administers it, and an issuer's tokens."""

    @classmethod
    def setUpClass(cls):
        cls.issuer = Issuer()
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (folder / "tokens").write_text(f"loader {TOKEN}\n")
        (folder / "keys.json").write_text(cls.issuer.key_set())
        # fmt: off
        cls.server = Server(
            "--static-tokens", str(folder / "tokens"),
            "--admins", "loader",
            "--jwt-keys", str(folder / "keys.json"),
            "--jwt-issuer", Issuer.NAME,
            "--jwt-audience", Issuer.AUDIENCE,
        )
        # fmt: on
        cls.addClassCleanup(cls.server.stop)
        with connected(cls.server.url, bearer(TOKEN)) as loader:
            rows(loader, f"CREATE USER ada PASSWORD '{PASSWORD}'")


def bearer(token):
    return {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"}


def login(user, password):
    return {"username": user, "password": password}


@contextlib.contextmanager
def connected(url, options=None):
    with flight_sql.connect(url, db_kwargs=options, autocommit=True) as connection:
        yield connection


def rows(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table().to_pylist()


def user(connection):
    """Whom the server takes the connection's user to be. SHOW PROCESSLIST does not list itself, but what runs beside it."""
    with connection.cursor() as open_cursor:
        open_cursor.execute("SELECT value AS whoami FROM generate_series(1, 100000000)")
        open_cursor.fetchone()
        process = next(process for process in rows(connection, "SHOW PROCESSLIST") if "whoami" in process["sql"])
        return process["user"]


class AdbcLogin(WithUsers):
    def test_pitfall_2a_08_a_password_is_changed_for_a_token(self):
        with connected(self.server.url, login("ada", PASSWORD)) as ada:
            self.assertEqual(user(ada), "ada")

    def test_pitfall_2a_08_a_password_in_the_header_of_each_call(self):
        credentials = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
        options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Basic {credentials}"}
        with connected(self.server.url, options) as ada:
            self.assertEqual(user(ada), "ada")

    def test_pitfall_2a_08_tokens_from_a_file_and_of_an_issuer(self):
        for name, token in (("loader", TOKEN), ("carol", self.issuer.token("carol")), ("ada", self.issuer.token("ada"))):
            with self.subTest(name=name), connected(self.server.url, bearer(token)) as connection:
                self.assertEqual(user(connection), name)

    def test_pitfall_2a_08_a_token_in_a_header_of_another_option(self):
        options = {DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + "authorization": f"Bearer {TOKEN}"}
        with connected(self.server.url, options) as loader:
            self.assertEqual(user(loader), "loader")

    def test_wrong_credentials_are_refused_with_the_reason(self):
        for options, reason in (
            ({}, "no credentials"),
            (login("ada", "wrong"), "user name or password is wrong"),
            (login("nobody", PASSWORD), "user name or password is wrong"),
            (bearer(TOKEN[1:] + "x"), "the token is not valid here"),
            (bearer(self.issuer.token("ada", seconds=-3600)), "the token has expired"),
            (bearer(self.issuer.token("ada", audience="another server")), "for another audience"),
            (bearer(Issuer().token("ada")), "its signature is not of its issuer"),
            ({DatabaseOptions.AUTHORIZATION_HEADER.value: "Digest x"}, "neither Basic nor Bearer"),
        ):
            with self.subTest(reason=reason), self.assertRaisesRegex(adbc_driver_manager.Error, reason) as caught:
                with connected(self.server.url, options) as connection:
                    rows(connection, "SELECT 1")
            self.assertEqual(caught.exception.status_code, adbc_driver_manager.AdbcStatusCode.UNAUTHENTICATED)

    def test_only_administrators_see_users(self):
        with connected(self.server.url, bearer(TOKEN)) as loader:
            self.assertEqual([row["name"] for row in rows(loader, "SHOW USERS")], ["ada"])
        with connected(self.server.url, bearer(self.issuer.token("carol"))) as carol:
            with self.assertRaisesRegex(adbc_driver_manager.Error, "only an administrator") as caught:
                rows(carol, "SHOW USERS")
            self.assertEqual(caught.exception.status_code, adbc_driver_manager.AdbcStatusCode.UNAUTHORIZED)


class PyarrowLogin(WithUsers):
    def setUp(self):
        self.client = flight.connect(self.server.url)
        self.addCleanup(self.client.close)

    def one(self, options=None):
        info = self.client.get_flight_info(command("CommandStatementQuery", {1: "SELECT 1 AS one"}), options)
        return self.client.do_get(info.endpoints[0].ticket, options).read_all().to_pylist()

    def test_nobody_is_let_in_without_credentials(self):
        with self.assertRaisesRegex(flight.FlightUnauthenticatedError, "no credentials"):
            self.one()

    def test_pitfall_2a_08_a_password_is_changed_for_a_token(self):
        header = self.client.authenticate_basic_token("ada", PASSWORD)
        self.assertTrue(header[1].startswith(b"Bearer "))
        self.assertEqual(self.one(flight.FlightCallOptions(headers=[header])), [{"one": 1}])

    def test_a_token_needs_no_handshake(self):
        for token in (TOKEN, self.issuer.token("carol")):
            header = (b"authorization", f"Bearer {token}".encode())
            self.assertEqual(self.one(flight.FlightCallOptions(headers=[header])), [{"one": 1}])

    def test_a_wrong_password_is_refused(self):
        with self.assertRaisesRegex(flight.FlightUnauthenticatedError, "user name or password is wrong"):
            self.client.authenticate_basic_token("ada", "wrong")

    def test_a_handler_logs_in_by_the_handshake_s_payload(self):
        self.client.authenticate(PasswordInPayload("ada", PASSWORD))
        self.assertEqual(self.one(), [{"one": 1}])


class PasswordInPayload(flight.ClientAuthHandler):
    """The older way: what the handshake answers goes back as `auth-token-bin` with every call."""

    def __init__(self, user, password):
        super().__init__()
        self.credentials = flight.BasicAuth(user, password)
        self.token = None

    def authenticate(self, outgoing, incoming):
        outgoing.write(self.credentials.serialize())
        self.token = incoming.read()

    def get_token(self):
        return self.token


class FirstUser(unittest.TestCase):
    def test_the_first_user_closes_the_door_behind_it(self):
        server = Server()
        self.addCleanup(server.stop)
        for options in (login("ada", PASSWORD), bearer(TOKEN)):
            with self.assertRaisesRegex(adbc_driver_manager.Error, "there are no users yet"):
                with connected(server.url, options) as early:
                    rows(early, "SELECT 1")
        with connected(server.url) as nobody:
            self.assertEqual(user(nobody), None)
            # The statement can still be closed, and nothing else be done.
            with nobody.cursor() as cursor:
                cursor.execute(f"CREATE USER ada PASSWORD '{PASSWORD}'")
            with self.assertRaisesRegex(adbc_driver_manager.Error, "no credentials"):
                rows(nobody, "SELECT 1")
            with connected(server.url, login("ada", PASSWORD)) as ada:
                self.assertEqual(rows(ada, "SHOW USERS")[0]["name"], "ada")


if __name__ == "__main__":
    unittest.main()
