"""Whom our TLS client takes for the server that it looks for. The client is tests/tools/rpctest; an agent's is the same."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pki import write_key
from rawh2 import SETTINGS, frame
from test_grpc import dial  # noqa: F401  (a fixture)

NAME = "hub.example.com"
NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())  # of all servers


class Cert:
    """A certificate that `issuer` signed, or itself."""

    def __init__(self, cn, issuer=None, ca=False, key=None, path_length=None, names=(), start=NOW - DAY, end=NOW + DAY, more=()):
        self.key = key or (ec.generate_private_key(ec.SECP256R1()) if ca else KEY)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])
        signer = issuer or self
        builder = (x509.CertificateBuilder().subject_name(self.name).issuer_name(signer.name).public_key(self.key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(ca, path_length), True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        for extension in more:
            builder = builder.add_extension(extension, True)
        self.pem = builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def dns(*names):
    return [x509.DNSName(name) for name in names]


def usage(**given):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
             "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: given.get(name, False) for name in names})


ROOT, OTHER = Cert("root", ca=True), Cert("other root", ca=True)
MIDDLE = Cert("middle", ROOT, ca=True)
CROSSED = Cert("root", OTHER, ca=True, key=ROOT.key)  # ROOT, as OTHER vouches for it
SHORT = Cert("short", ROOT, ca=True, path_length=0)
BELOW_SHORT = Cert("below", SHORT, ca=True)
PLAIN = Cert(NAME, ROOT, names=dns(NAME))  # no authority
PERMITTED = Cert("permitted", ROOT, ca=True, more=[x509.NameConstraints(dns("example.com"), None)])
EXCLUDED = Cert("excluded", ROOT, ca=True, more=[x509.NameConstraints(None, dns("example.com"))])


def good(issuer=ROOT, **options):
    return Cert("server", issuer, names=options.pop("names", dns(NAME)), **options)


def leaf(*names, cn="server"):
    return [Cert(cn, ROOT, names=names)]


def weak():
    return Cert("server", ROOT, key=rsa.generate_private_key(65537, 1024), names=dns(NAME))


# The name, what the server shows, whom we believe; a part of what is said against it, None: it is the server.
ROWS = [
    ("its name", NAME, leaf(*dns(NAME)), [ROOT], None),
    ("its name in other letters", NAME, leaf(*dns("HUB.Example.COM")), [ROOT], None),
    ("one of several", NAME, leaf(*dns("a.example.org", NAME)), [ROOT], None),
    ("a wildcard", NAME, leaf(*dns("*.example.com")), [ROOT], None),
    ("an address", "127.0.0.1", leaf(x509.IPAddress(ipaddress.ip_address("127.0.0.1"))), [ROOT], None),
    ("an address of six", "::1", leaf(x509.IPAddress(ipaddress.ip_address("::1"))), [ROOT], None),
    ("another name", NAME, leaf(*dns("spoke.example.com")), [ROOT], "hostname mismatch"),
    ("the end of it", NAME, leaf(*dns("example.com")), [ROOT], "hostname mismatch"),
    ("more than it", NAME, leaf(*dns("hub.example.com.evil.org")), [ROOT], "hostname mismatch"),
    ("a wildcard of two labels", "a.hub.example.com", leaf(*dns("*.example.com")), [ROOT], "hostname mismatch"),
    ("a wildcard of none", "example.com", leaf(*dns("*.example.com")), [ROOT], "hostname mismatch"),
    ("a part as wildcard", NAME, leaf(*dns("h*.example.com")), [ROOT], "hostname mismatch"),
    ("a wildcard in the middle", NAME, leaf(*dns("hub.*.com")), [ROOT], "hostname mismatch"),
    ("a wildcard for all", "hub", leaf(*dns("*")), [ROOT], "hostname mismatch"),
    ("a wildcard for a domain of all", "example.com", leaf(*dns("*.com")), [ROOT], "hostname mismatch"),
    ("an address as a name", "127.0.0.1", leaf(*dns("127.0.0.1")), [ROOT], "IP address mismatch"),
    ("another address", "127.0.0.1", leaf(x509.IPAddress(ipaddress.ip_address("127.0.0.2"))), [ROOT], "IP address mismatch"),
    ("a name for an address", "127.0.0.1", leaf(*dns(NAME), cn="127.0.0.1"), [ROOT], "IP address mismatch"),
    ("a common name", NAME, leaf(cn=NAME), [ROOT], "hostname mismatch"),
    ("a common name and an address", NAME, leaf(x509.IPAddress(ipaddress.ip_address("127.0.0.1")), cn=NAME), [ROOT], "hostname mismatch"),
    ("a common name and a URI", NAME, leaf(x509.UniformResourceIdentifier(f"https://{NAME}"), cn=NAME), [ROOT], "hostname mismatch"),
    ("a common name and another name", NAME, leaf(*dns("spoke.example.com"), cn=NAME), [ROOT], "hostname mismatch"),

    ("over", NAME, [good(start=NOW - 2 * DAY, end=NOW - DAY)], [ROOT], "certificate has expired"),
    ("not begun", NAME, [good(start=NOW + DAY, end=NOW + 2 * DAY)], [ROOT], "certificate is not yet valid"),
    ("for servers", NAME, [good(more=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])])], [ROOT], None),
    ("for clients", NAME, [good(more=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])])], [ROOT], "unsuitable certificate purpose"),
    ("for code", NAME, [good(more=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])])], [ROOT], "unsuitable certificate purpose"),
    ("to sign certificates only", NAME, [good(more=[usage(key_cert_sign=True)])], [ROOT], "unsuitable certificate purpose"),
    ("of a weak key", NAME, [weak()], [ROOT], "key too weak"),

    ("by itself", NAME, [Cert(NAME, names=dns(NAME))], [ROOT], "self-signed certificate"),
    ("of an authority that nobody believes", NAME, [good(OTHER)], [ROOT], "unable to get local issuer certificate"),
    ("of an authority of the same name", NAME, [good(Cert("root", ca=True))], [ROOT], "certificate signature failure"),
    ("of one that is no authority", NAME, [good(PLAIN), PLAIN], [ROOT], "invalid CA certificate"),
    ("of one below", NAME, [good(MIDDLE), MIDDLE], [ROOT], None),
    ("of one below that is not shown", NAME, [good(MIDDLE)], [ROOT], "unable to get local issuer certificate"),
    ("of one below that alone is believed", NAME, [good(MIDDLE)], [MIDDLE], None),
    ("of one below that alone is believed, of another", NAME, [good(SHORT), SHORT], [MIDDLE], "unable to get"),
    ("of one too deep", NAME, [good(BELOW_SHORT), BELOW_SHORT, SHORT], [ROOT], "path length constraint exceeded"),
    ("of one that is over", NAME, [good(old := Cert("old", ROOT, ca=True, end=NOW - DAY / 2)), old], [ROOT], "certificate has expired"),
    ("of one that may", NAME, [good(PERMITTED), PERMITTED], [ROOT], None),
    ("of one that may not", "hub.example.org", [good(PERMITTED, names=dns("hub.example.org")), PERMITTED], [ROOT], "permitted subtree violation"),
    ("of one that may all but this", NAME, [good(EXCLUDED), EXCLUDED], [ROOT], "excluded subtree violation"),
    ("of one that may not, by a common name", "hub.example.org", [Cert("hub.example.org", PERMITTED), PERMITTED], [ROOT], "hostname mismatch"),
    ("cross-signed, and the first is believed", NAME, [good(), CROSSED], [ROOT], None),
    ("cross-signed, and the second is believed", NAME, [good(), CROSSED], [OTHER], None),
    ("cross-signed, and nobody is believed", NAME, [good(), CROSSED], [MIDDLE], "unable to get"),
]


@contextlib.contextmanager
def server(directory, chain, protocol="h2", version=None):
    """One connection over TLS; then it is HTTP/2 as far as its first frame."""
    pair = directory / "server.pem"
    write_key(pair, chain[0].key)
    pair.write_bytes(pair.read_bytes() + b"".join(cert.pem for cert in chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(pair)
    if version:
        context.minimum_version = context.maximum_version = version
    if protocol:
        context.set_alpn_protocols([protocol])
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as sock:
            sock.sendall(frame(SETTINGS))
            while sock.recv(4096):
                pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.close()


def said_by(dial, directory, port, name, believed):  # noqa: F811
    ca = directory / "believed.pem"
    ca.write_bytes(b"".join(cert.pem for cert in believed))
    client = dial(port, f"ca={ca}", f"name={name}")
    client.tell("connect")
    return client.line()


@pytest.mark.parametrize(("name", "chain", "believed", "against"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_server_is_who_its_certificate_says(dial, tmp_path, name, chain, believed, against):  # noqa: F811
    with server(tmp_path, chain) as port:
        said = said_by(dial, tmp_path, port, name, believed)
    if against is None:
        assert said == "up"
    else:
        assert said.startswith("down unavailable") and ": TLS: " in said and against in said


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(("options", "against"), [
    ({"version": ssl.TLSVersion.TLSv1_2}, None),
    ({"version": ssl.TLSVersion.TLSv1_3}, None),
    ({"version": ssl.TLSVersion.TLSv1_1}, "TLS: "),
    ({"version": ssl.TLSVersion.TLSv1}, "TLS: "),
    ({"protocol": None}, "does not speak h2 (ALPN)"),
    ({"protocol": "http/1.1"}, "does not speak h2 (ALPN)"),
], ids=["1.2", "1.3", "1.1", "1.0", "no ALPN", "http/1.1"])
def test_old_versions_and_other_protocols_are_refused(dial, tmp_path, options, against):  # noqa: F811
    with server(tmp_path, [good()], **options) as port:
        said = said_by(dial, tmp_path, port, NAME, [ROOT])
    assert said == "up" if against is None else said.startswith("down unavailable") and against in said
