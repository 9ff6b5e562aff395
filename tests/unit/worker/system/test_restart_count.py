"""A worker counts the restarts of its container as the kubelet does."""

import pathlib

from whatsapp_worker.system import restart_count


def test_each_start_in_a_pod_is_counted(tmp_path: pathlib.Path) -> None:
    assert [restart_count.count("uid", tmp_path) for _ in range(3)] == [0, 1, 2]


def test_another_pod_has_a_count_of_its_own(tmp_path: pathlib.Path) -> None:
    restart_count.count("one", tmp_path)
    assert restart_count.count("two", tmp_path) == 0


def test_a_directory_that_cannot_be_used_gives_no_count(tmp_path: pathlib.Path) -> None:
    assert restart_count.count("uid", tmp_path / "absent") is None


def test_what_cannot_be_read_as_a_count_begins_anew(tmp_path: pathlib.Path) -> None:
    for text in ("", "three", "9" * 4000, "\u00b2"):
        (tmp_path / "whatsapp-worker-uid.starts").write_bytes(text.encode())
        assert restart_count.count("uid", tmp_path) == 0
        assert restart_count.count("uid", tmp_path) == 1
