"""The C sources as the style tests see them: paths, lines, and lines without comments and strings."""
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tracked(*patterns):
    """Files of the tree that git knows and that still exist, as paths relative to ROOT."""
    out = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--", *patterns], check=True, capture_output=True)
    names = [n for n in out.stdout.decode().split("\0") if n]
    return [Path(n) for n in sorted(names) if (ROOT / n).is_file()]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


_TOKEN = re.compile(r"""
    (?P<comment> /\*.*?\*/ | //[^\n]* )
  | (?P<string> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' )
""", re.X | re.S)


def blank(text, strings=True):
    """The text with comments (and the inside of strings) as spaces: same lines, same columns."""
    def gap(match):
        if match.lastgroup == "string":
            if not strings:
                return match.group()
            quote = match.group()[0]
            return quote + " " * (len(match.group()) - 2) + quote
        return re.sub(r"[^\n]", " ", match.group())
    return _TOKEN.sub(gap, text)
