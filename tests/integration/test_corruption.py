"""Damaged files. A member either refuses to start with an error that names the file, or has everything that it answered for.
What may be cut from the log is what was never answered: the folder's GUARD file knows."""
import random
import shutil
import subprocess

import pytest

from process import Member, NotStarted

pytestmark = pytest.mark.ours

WRITES = 130
FLIPS, CUTS = 20, 8
SEED = 20260101


class Original:
    """A data folder after a kill, with checkpoints and log, and what is in it."""

    def __init__(self, folder):
        self.m = Member(folder, ["--snapshot-count=40"])
        self.m.start()
        client = self.m.client()
        lease = client.grant(3600).ID
        for i in range(WRITES):
            client.put(f"key{i % 11:02}", f"{i} " + "x" * (i * 7 % 300), lease=lease if i % 5 == 0 else 0)
            if i % 17 == 0:
                client.delete("key03")
        self.revision = client.status().header.revision
        self.history = client.history(2)
        self.state = client.prefix("key").kvs
        self.m.close()
        self.data = self.m.data_dir
        self.files = sorted(p.relative_to(self.data) for p in self.data.rglob("*") if p.is_file())

    def is_open_segment(self, name):
        return name.name.startswith("open-")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return Original(tmp_path_factory.mktemp("original"))


def used(path):
    """The file's bytes up to the last one that is not zero: log files are longer than what is in them."""
    return len(path.read_bytes().rstrip(b"\0"))


def last_words(m):
    """The error of the last log line, or what else was printed last."""
    errors = [line["error"] for line in m.log_lines() if "error" in line]
    return (errors or [m.tail(2)])[-1][-300:]


def outcome(original, tmp_path, name, damage):
    """Start on a damaged copy. Returns what is wrong about it, or None."""
    m = Member(tmp_path, [])
    shutil.rmtree(m.data_dir, ignore_errors=True)
    subprocess.run(["cp", "-a", "--sparse=always", original.data, m.data_dir], check=True)
    damage(m.data_dir / name)
    try:
        m.start(wait=False)
        m.wait_ready(timeout=15)
    except NotStarted:
        if m.proc.poll() is None:
            return f"neither starts nor ends: {last_words(m)}"
        if m.proc.returncode < 0:
            return f"ended by signal {-m.proc.returncode}"
        if "Sanitizer" in m.output() or "assert" in m.output().lower():
            return f"fails by assertion: {last_words(m)}"
        # A log file cut to nothing is not there any more: then the error names the one before it.
        named = name.name in m.output() or original.is_open_segment(name) and "the log ends at entry" in m.output()
        if not named:
            return f"the error does not name the file: {last_words(m)}"
        return None
    else:
        client = m.client()
        revision = client.status().header.revision
        if revision != original.revision:
            return f"starts at revision {revision} of {original.revision}"
        if client.history(2) != original.history:
            return "starts with another history"
        if client.prefix("key").kvs != original.state:
            return "starts with another state"
        client.put("works", "on")
        return None
    finally:
        m.close()


def survey(original, tmp_path, trials):
    wrong = []
    for name, what, damage in trials:
        problem = outcome(original, tmp_path, name, damage)
        if problem is not None:
            wrong.append(f"{name} {what}: {problem}")
    assert not wrong, f"{len(wrong)} problems\n" + "\n".join(wrong)


def flip(position, bit):
    def damage(path):
        with open(path, "r+b") as f:
            f.seek(position)
            byte = f.read(1)[0]
            f.seek(position)
            f.write(bytes([byte ^ (1 << bit)]))
    return damage


def cut(size):
    def damage(path):
        with open(path, "r+b") as f:
            f.truncate(size)
    return damage


def test_an_undamaged_copy_has_everything(original, tmp_path):
    assert len(original.files) >= 5, original.files
    assert outcome(original, tmp_path, original.files[0], lambda path: None) is None


def positions(rng, size, count):
    fixed = [p for p in (0, 1, 7, 8, 16, size // 2, size - 2, size - 1) if 0 <= p < size]
    return sorted(set(fixed) | {rng.randrange(size) for _ in range(count)}) if size else []


def test_one_flipped_bit(original, tmp_path):
    rng = random.Random(SEED)
    trials = []
    for name in original.files:
        size = used(original.data / name)
        for position in positions(rng, size, FLIPS):
            trials.append((name, f"flipped at {position} of {size}", flip(position, rng.randrange(8))))
    survey(original, tmp_path, trials)


def test_a_file_cut_short(original, tmp_path):
    rng = random.Random(SEED)
    trials = []
    for name in original.files:
        size = used(original.data / name)
        for length in positions(rng, size, CUTS):
            trials.append((name, f"cut to {length} of {size}", cut(length)))
    survey(original, tmp_path, trials)


def test_a_flip_in_the_middle_of_the_open_log_is_found(original, tmp_path):
    """Not a torn tail: valid entries follow."""
    names = [n for n in original.files if original.is_open_segment(n) and used(original.data / n) > 4096]
    assert names, original.files
    trials = [(n, f"flipped at {p}", flip(p, 3))
              for n in names for p in (used(original.data / n) // 3, used(original.data / n) // 2)]
    survey(original, tmp_path, trials)


def test_a_missing_file(original, tmp_path):
    """Losing a file is noticed, though which one cannot always be told. The lock may go, and so may a log file that nothing
    was written to."""
    wrong = []
    for name in original.files:
        if used(original.data / name) == 0 or name.name == "LOCK":
            continue
        problem = outcome(original, tmp_path, name, lambda path: path.unlink())
        if problem is not None and "does not name the file" not in problem:
            wrong.append(f"{name} removed: {problem}")
    assert not wrong, "\n".join(wrong)


def test_files_of_another_cluster_do_not_mix(original, new_member, tmp_path):
    other = new_member("--snapshot-count=40").start()
    for i in range(60):
        other.client().put("x", str(i))
    other.stop()
    m = Member(tmp_path / "mixed", [])
    subprocess.run(["cp", "-a", original.data, m.data_dir], check=True)
    folder = m.data_dir / "checkpoints"
    if not folder.exists():
        pytest.skip("there are no checkpoints")
    shutil.rmtree(folder)
    shutil.copytree(other.data_dir / "checkpoints", folder)
    with pytest.raises(NotStarted):
        m.start()
    assert m.proc.returncode > 0
    m.close()
