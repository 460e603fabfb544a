"""pyarrow.flight logs in, in each of the ways it knows."""

import tempfile
import unittest
from pathlib import Path

from harness.flight_sql import FlightSql, _descriptor
from harness.murre_server import MurreServer
from pyarrow import flight

PASSWORD = "correct horse"


class Login(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.log = tempfile.NamedTemporaryFile(suffix=".log")
        cls.server = MurreServer(Path(cls.log.name), cores=None, threads=2)
        first = FlightSql(cls.server.address)
        first.update(f"CREATE USER ada PASSWORD '{PASSWORD}'")
        first.close()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.log.close()

    def setUp(self):
        self.client = flight.connect(f"grpc://{self.server.address}")
        self.addCleanup(self.client.close)

    def one(self, options=None):
        info = self.client.get_flight_info(_descriptor("CommandStatementQuery", "SELECT 1 AS one"), options)
        return self.client.do_get(info.endpoints[0].ticket, options).read_all().to_pylist()

    def test_nobody_is_let_in_without_credentials(self):
        with self.assertRaisesRegex(flight.FlightUnauthenticatedError, "no credentials"):
            self.one()

    def test_a_password_is_changed_for_a_token(self):
        header = self.client.authenticate_basic_token("ada", PASSWORD)
        self.assertTrue(header[1].startswith(b"Bearer "))
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


if __name__ == "__main__":
    unittest.main()
