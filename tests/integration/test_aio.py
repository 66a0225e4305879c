"""What the kernel takes its time for holds nobody up (docs/decisions/0015)."""
import time

import pytest


@pytest.mark.ours
def test_a_slow_end_of_a_segment_is_not_felt(failing):
    member, trigger = failing
    trigger.write_text("destroy")
    client = member.client()
    slowest = 0
    for n in range(36):  # three segments of 8 MiB and some more
        began = time.monotonic()
        client.put(f"k{n % 3}", "x" * 1_000_000)
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 1.5, "the member waited for io_destroy"
