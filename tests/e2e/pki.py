"""Certificates for tests: an authority, and pairs that it issues."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_key(path, key):
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))


class Pair:
    """A certificate and its key, as files."""

    def __init__(self, directory, name, cert, key):
        self.cert, self.key = directory / (name + ".crt"), directory / (name + ".key")
        self.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        write_key(self.key, key)
        self.fingerprint = hashlib.sha256(cert.public_bytes(serialization.Encoding.DER)).hexdigest().upper()


class Authority:
    """`past_days`: its certificates are those of so many days ago, and good for a day."""

    def __init__(self, directory, name="test authority", past_days=0):
        self.past = datetime.timedelta(days=past_days)
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self.builder(self.name, self.private).add_extension(x509.BasicConstraints(True, None), True)
        self.cert = Pair(directory, "ca", own.sign(self.private, hashes.SHA256()), self.private).cert

    def builder(self, subject, key):
        now = datetime.datetime.utcnow() - self.past
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
                .not_valid_after(now + datetime.timedelta(days=1)))

    def issue(self, name, hosts=(), uris=(), organizations=()):
        """A Pair for CN=name with these DNS names, URIs and organizations."""
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organizations]
        parts.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
        builder = self.builder(x509.Name(parts), key)
        names = [x509.DNSName(h) for h in hosts] + [x509.UniformResourceIdentifier(u) for u in uris]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return Pair(self.directory, name, builder.sign(self.private, hashes.SHA256()), key)
