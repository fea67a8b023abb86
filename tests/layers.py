#!/usr/bin/python3
"""The layers of src/ and the direction of their includes.

Checks, over every C file below the root (first argument; this repository when there is none):
  * a layer includes only itself and layers below it, in the order of the subdir() lines of meson.build, and some
    know less than that (ONLY);
  * every folder under src/ has its place in that order;
  * public headers include nothing but public headers and the C library;
  * memory comes from base/mem.h only.
Prints each violation as FILE:LINE: text; exits 1 when there is one.
"""

import re
import sys
from pathlib import Path

# Layers that know less than everything below them.
ONLY = {
    "event": {"base"},
    "config": {"base"},
    "net": {"base"},
    "store": {"base", "event"},
    "rpc": {"base", "net"},
    "delivery": {"base", "event"},
    "filter": {"base", "event"},
    "wire": {"base", "event", "rpc", "delivery"},
    "auth": {"base", "event", "config", "net", "rpc"},
    "backend": {"base", "event", "net", "store", "auth"},
    "sync": {"base", "event", "delivery", "auth", "wire", "backend", "store"},
    "lib": {"base", "event", "delivery", "store"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]')
ALLOCATION = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf|vasprintf|posix_memalign|"
                        r"aligned_alloc)\s*\(")


def order(root):
    """The layers from the lowest up."""
    text = (root / "meson.build").read_text()
    return re.findall(r"^subdir\('src/(\w+)'\)", text, re.MULTILINE)


def includes(path):
    """(line, system, name) of each include."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found[1] == "<", found[2]


def check_layer(root, path, layers):
    layer = path.relative_to(root / "src").parts[0]
    if layer not in layers:
        yield path, 1, f"'{layer}' has no subdir() line in meson.build"
        return
    for number, system, name in includes(path):
        if system or "/" not in name:
            generated = name.endswith(".pb-c.h")  # from proto/, into the layer that includes it
            if not system and not generated and not (path.parent / name).exists():
                yield path, number, f'"{name}": name the layer: "{layer}/{name}"'
            continue
        used = name.split("/")[0]
        if used == "holdfast" and layer in ("lib", "cli"):
            continue
        if used not in layers:
            yield path, number, f'"{name}": \'{used}\' is no layer'
        elif layers.index(used) > layers.index(layer):
            yield path, number, f'"{name}": {layer} lies below {used}'
        elif layer in ONLY and used != layer and used not in ONLY[layer]:
            yield path, number, f'"{name}": {layer} knows only {", ".join(sorted(ONLY[layer]))}'


def check_public(root, path):
    for number, system, name in includes(path):
        public = name.startswith("holdfast/") and (root / "include" / name).exists()
        libc = "/" not in name and system
        if not (public or libc):
            yield path, number, f"a public header includes {name}"


def check_allocation(root, path):
    if path.relative_to(root).as_posix() == "src/base/mem.c":
        return
    in_comment = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        in_comment = in_comment or line.lstrip().startswith("/*")
        code = "" if in_comment else line.split("/*")[0].split("//")[0]
        in_comment = in_comment and "*/" not in line
        found = ALLOCATION.search(re.sub(r'"(\\.|[^"\\])*"', '""', code))
        if found:
            yield path, number, f"{found[1]}(): allocate through base/mem.h"


def violations(root):
    layers = order(root)
    for path in sorted((root / "src").rglob("*.[ch]")):
        yield from check_layer(root, path, layers)
        yield from check_allocation(root, path)
    for path in sorted((root / "include").rglob("*.h")):
        yield from check_public(root, path)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    if not order(root):
        sys.exit(f"layers: no subdir('src/...') lines in {root}/meson.build")
    bad = list(violations(root))
    for path, number, text in bad:
        print(f"{path.relative_to(root)}:{number}: {text}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
