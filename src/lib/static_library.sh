#!/bin/sh
# static_library.sh OUT.a IN.a...: one archive of all, in which only what the shared library exports is visible.
set -eu

out=$(realpath -m "$1")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ld -r -o "$work/holdfast.o" --whole-archive "$@"
objcopy --wildcard --keep-global-symbol='hf_*' "$work/holdfast.o"
rm -f "$out"
ar rcsD "$out" "$work/holdfast.o"
