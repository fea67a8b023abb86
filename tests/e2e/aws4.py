"""AWS Signature Version 4 of a POST to /, made anew (the AWS General Reference's four steps)."""

import hashlib
import hmac
import re


def signed_by(key, request, headers, service="sns"):
    """(access key id, region) of a request that is signed with `key`; an AssertionError when it is not."""
    found = re.fullmatch(rf"AWS4-HMAC-SHA256 Credential=(\w+)/(\d+)/([\w-]+)/{service}/aws4_request, ?SignedHeaders=([\w;-]+), ?"
                         r"Signature=([0-9a-f]{64})", headers["Authorization"])
    access, day, region, names, signature = found.groups()
    lower = {name.lower(): value for name, value in headers.items()}
    assert "x-amz-security-token" not in lower or "x-amz-security-token" in names.split(";")
    canonical = "\n".join(["POST", "/", "", *(f"{n}:{lower[n].strip()}" for n in names.split(";")), "", names,
                           hashlib.sha256(request.encode()).hexdigest()])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", lower["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    derived = b"AWS4" + key.encode()
    for part in (day, region, service, "aws4_request"):
        derived = hmac.new(derived, part.encode(), "sha256").digest()
    assert hmac.new(derived, text.encode(), "sha256").hexdigest() == signature
    return access, region
