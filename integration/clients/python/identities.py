"""Certificates and tokens as operators bring them: an authority and what it signs, and an issuer of JSON web tokens."""

import base64
import datetime
import ipaddress
import json
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Pair:
    """A certificate and its key, as PEM."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey):
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def write(self, folder: Path, name: str) -> tuple[str, str]:
        """Gives the paths of certificate and key."""
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        paths[0].write_text(self.certificate)
        paths[1].write_text(self.key)
        return str(paths[0]), str(paths[1])


class Authority:
    """Signs certificates of servers on this machine, and of clients."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority")
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, self._key).add_extension(constraints, critical=True)
        self.pair = Pair(builder.sign(self._key, hashes.SHA256()), self._key)

    def server(self) -> Pair:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return self._signed("server", x509.SubjectAlternativeName(names))

    def client(self, name: str) -> Pair:
        return self._signed(name, x509.BasicConstraints(ca=False, path_length=None))

    def _signed(self, name: str, extension: x509.ExtensionType) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name), key).add_extension(extension, critical=False)
        return Pair(builder.sign(self._key, hashes.SHA256()), key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
        )


class Issuer:
    """Signs tokens with a key of its own, as an OpenID Connect provider does."""

    NAME = "https://issuer.test"
    AUDIENCE = "murre"

    def __init__(self):
        self._key = ed25519.Ed25519PrivateKey.generate()

    def key_set(self) -> str:
        """What servers fetch."""
        public = self._key.public_key().public_bytes_raw()
        key = {"kty": "OKP", "crv": "Ed25519", "kid": "one", "use": "sig", "x": _base64(public)}
        return json.dumps({"keys": [key]})

    def token(self, user: str, audience: str = AUDIENCE, seconds: int = 3600) -> str:
        """Expires after `seconds`, which may lie in the past."""
        header = {"alg": "EdDSA", "kid": "one"}
        claims = {"sub": user, "iss": self.NAME, "aud": audience, "exp": int(time.time()) + seconds}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{_base64(self._key.sign(signed.encode()))}"


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
