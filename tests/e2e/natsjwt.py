"""Operators, accounts and users of a NATS server in operator mode: their keys, their tokens, and credentials files.

Source: NATS ADR-14 (JWT libraries), the nkeys format: a prefix, 32 bytes, CRC-16/XMODEM, in base32 without padding.
"""

import base64
import json
import os
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def armoured(data):
    return base64.b32encode(data + crc16(data).to_bytes(2, "little")).decode().rstrip("=")


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    """An nkey pair; `name` is the public one."""

    def __init__(self, prefix):
        self.secret = os.urandom(32)
        self.key = Ed25519PrivateKey.from_private_bytes(self.secret)
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.name = armoured(bytes([prefix]) + raw)
        self.seed = armoured(bytes([SEED | prefix >> 5, (prefix & 31) << 3]) + self.secret)

    def token(self, subject, kind, **claims):
        """A JWT of `subject`, signed by this key."""
        body = {"jti": os.urandom(16).hex(), "iat": int(time.time()), "iss": self.name, "sub": subject.name, "name": kind,
                "nats": {"type": kind, "version": 2, **claims}}
        text = b64(b'{"typ":"JWT","alg":"ed25519-nkey"}') + "." + b64(json.dumps(body).encode())
        return text + "." + b64(self.key.sign(text.encode()))

    def sign(self, nonce):
        return b64(self.key.sign(nonce.encode()))


NO_LIMIT = dict.fromkeys(["subs", "data", "payload", "imports", "exports", "conn", "leaf", "mem_storage", "disk_storage", "streams",
                          "consumer"], -1)


class Operator:
    """`config`: what makes a server believe it, its system account and one account with JetStream."""

    def __init__(self):
        self.key, self.account, system = Key(OPERATOR), Key(ACCOUNT), Key(ACCOUNT)
        tokens = [(k.name, self.key.token(k, "account", limits={**NO_LIMIT, "wildcards": True})) for k in (self.account, system)]
        # The system account has no JetStream of its own.
        tokens[1] = system.name, self.key.token(system, "account", limits={**NO_LIMIT, "wildcards": True, "mem_storage": 0, "disk_storage": 0})
        preload = ", ".join(f'{name}: "{token}"' for name, token in tokens)
        self.config = (f'operator: "{self.key.token(self.key, "operator")}"\nresolver: MEMORY\nsystem_account: {system.name}\n'
                       f"resolver_preload: {{ {preload} }}\n")

    def user(self):
        """(key, token) of a new user of the account."""
        key = Key(USER)
        return key, self.account.token(key, "user", subs=-1, data=-1, payload=-1)


def credentials(key, token):
    """The text of a .creds file."""
    return (f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{key.seed}\n------END USER NKEY SEED------\n")
