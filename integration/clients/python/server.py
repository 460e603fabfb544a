"""One server for the tests of a class."""

import tempfile
import unittest
from pathlib import Path

from harness.murre_server import MurreServer


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.log = tempfile.NamedTemporaryFile(suffix=".log")
        cls.addClassCleanup(cls.log.close)
        cls.server = MurreServer(Path(cls.log.name), cores=None, threads=2)
        cls.addClassCleanup(cls.server.stop)
