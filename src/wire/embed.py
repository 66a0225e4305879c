#!/usr/bin/env python3
"""Writes the bytes of a file as a C array: embed.py INPUT OUTPUT NAME gives NAME and NAME_len."""
import sys


def main():
    source, target, name = sys.argv[1:]
    with open(source, "rb") as f:
        data = f.read()
    lines = [
        "".join(f"{byte}," for byte in data[i : i + 24]) for i in range(0, len(data), 24)
    ]
    with open(target, "w", encoding="ascii") as f:
        f.write("#include <stddef.h>\n\n")
        f.write(f"extern const unsigned char {name}[];\nextern const size_t {name}_len;\n\n")
        f.write(f"const unsigned char {name}[] = {{\n" + "\n".join(lines) + "\n};\n")
        f.write(f"const size_t {name}_len = sizeof({name});\n")


main()
