#!/bin/sh
# Make a static library of another, in which the public functions alone are global: a program that has an etcd client of
# its own, with the same generated names, links with it.
#
#   archive.sh LD OBJCOPY AR IN.a OUT.a
set -e
object="$5.o"
"$1" -r -o "$object" --whole-archive "$4"
"$2" --wildcard --keep-global-symbol='engenho_[a-z]*' "$object"
rm -f "$5"
"$3" rcs "$5" "$object"
rm -f "$object"
