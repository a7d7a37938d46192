"""Who follows a folder: one process at a time, and none stores what another one has to."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from index.libraries import utc_now
from index.watching.folder_scan import check_watchable
from index.watching.watch_store import WatchStore
from models.errors import InvalidRequest, JobConflict, SourceError, WatchNotFound
from tests.index.conftest import write_tone
from tests.index.followed import Followed, write_samples


@pytest.fixture
def followed(tmp_path: Path, database: str | None) -> Iterator[Followed]:
    made = Followed(write_samples(tmp_path / "samples"), tmp_path / "data")
    yield made
    made.index.close()


def test_only_the_process_that_holds_the_watch_stores(followed: Followed) -> None:
    followed.sync()
    other = WatchStore(followed.index.catalog)
    with pytest.raises(JobConflict, match="another process"):
        other.take(followed.watch.id)
    assert other.take_free() == []
    followed.store.release(followed.watch.id)
    assert other.take_free() == []  # it is a command's
    other.take(followed.watch.id)
    write_tone(followed.root / "Lead.wav", 900.0)
    with pytest.raises(JobConflict):
        followed.sync()
    assert "Lead" not in followed.instruments()
    other.remove(followed.watch.id)
    with pytest.raises(WatchNotFound):
        followed.sync()
    assert set(followed.instruments()) == {"Bass", "Flute", "Organ"}


@pytest.mark.both_databases
def test_a_lease_that_has_expired_is_taken_over(followed: Followed) -> None:
    watch = followed.store.add(followed.library, followed.root, in_service=True)
    assert (watch.id, watch.is_followed) == (followed.watch.id, True)
    later = utc_now() + timedelta(hours=1)
    other = WatchStore(followed.index.catalog, clock=lambda: later)
    assert [one.id for one in other.take_free()] == [watch.id]
    assert followed.store.renew([watch.id]) == set()
    assert other.renew([watch.id]) == {watch.id}


def test_folders_inside_each_other_and_data_sets_are_refused(followed: Followed, tmp_path: Path) -> None:
    for path in (followed.root / "Organ", tmp_path):
        with pytest.raises(InvalidRequest, match="inside"):
            followed.store.add(followed.library, path)
    other = followed.index.libraries.create("Other").id
    assert followed.store.add(other, tmp_path).id != followed.watch.id
    with pytest.raises(SourceError, match="only folders"):
        check_watchable(followed.root / "Bass.wav")
