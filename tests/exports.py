#!/usr/bin/python3
"""exports.py LIBRARY...: what a program can link against begins with hf_, and nothing else is visible.

Every function of the public headers must be there. Takes shared and static libraries.
"""

import re
import subprocess
import sys
from pathlib import Path

HEADERS = Path(__file__).resolve().parent.parent / "include" / "holdfast"


def promised():
    """The functions that the headers declare."""
    text = "".join(p.read_text() for p in HEADERS.glob("*.h"))
    return set(re.findall(r"^HF_API[^;(]*?\b(hf_\w+)\(", text, re.MULTILINE))


def visible(library):
    """The defined symbols that a linker sees."""
    kind = ["--extern-only"] if library.endswith(".a") else ["--dynamic"]
    out = subprocess.run(["nm", "--defined-only", "--format=posix", *kind, library], check=True, capture_output=True,
                         text=True).stdout
    symbols = {}
    for line in out.splitlines():
        fields = line.split()
        if len(fields) >= 2 and len(fields[1]) == 1:
            symbols[fields[0].split("@")[0]] = fields[1]
    return {name for name, kind in symbols.items() if kind != "A"}  # A: the name of a symbol version


def main():
    bad = 0
    for library in sys.argv[1:]:
        found, wanted = visible(library), promised()
        for name in sorted(found - wanted):
            print(f"{library}: exports {name}, which is in no public header")
        for name in sorted(wanted - found):
            print(f"{library}: lacks {name}, which the headers declare")
        bad += found != wanted
    return 1 if bad or len(sys.argv) < 2 or not promised() else 0


if __name__ == "__main__":
    sys.exit(main())
