"""Settings come from the environment, and a wrong one stops the start with its name and what is allowed."""

import stat
from pathlib import Path

import pytest

from hedgerow.core import config
from hedgerow.core.config import ConfigError, load


def test_nothing_set_is_enough(tmp_path: Path) -> None:
    loaded = load({"HEDGEROW_DATA_DIR": str(tmp_path / "new" / "folder")})

    assert loaded.sqlite_path.parent == tmp_path / "new" / "folder"
    assert loaded.storage == str(tmp_path / "new" / "folder" / "tables")
    assert (loaded.host, loaded.port, loaded.rate_limits, loaded.egress) == ("127.0.0.1", 8765, False, "private")


def test_the_secret_key_is_made_once_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    first = load({"HEDGEROW_DATA_DIR": str(tmp_path)})
    second = load({"HEDGEROW_DATA_DIR": str(tmp_path)})

    assert len(first.secret_key) > 40
    assert second.secret_key == first.secret_key
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret_key"]


def test_a_relative_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert load({}).data_dir == tmp_path / "hedgerow-data"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from a file\n")

    loaded = load({"HEDGEROW_DATA_DIR": str(tmp_path), "HEDGEROW_SECRET_KEY_FILE": str(file)})

    assert loaded.secret_key == "from a file"
    assert loaded.origin["secret_key"] == "environment (HEDGEROW_SECRET_KEY_FILE)"


def test_each_setting_says_where_it_came_from(tmp_path: Path) -> None:
    loaded = load({"HEDGEROW_DATA_DIR": str(tmp_path), "HEDGEROW_PORT": "9000"})

    assert loaded.origin["port"] == "environment (HEDGEROW_PORT)"
    assert loaded.origin["secret_key"] == f"file ({tmp_path / 'secret_key'})"
    assert "host" not in loaded.origin


@pytest.mark.parametrize(("word", "meant"), [("on", True), ("TRUE", True), ("1", True), ("off", False), ("no", False)])
def test_switches_understand_the_usual_words(tmp_path: Path, word: str, meant: bool) -> None:
    assert load({"HEDGEROW_DATA_DIR": str(tmp_path), "HEDGEROW_RATE_LIMITS": word}).rate_limits is meant


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("HEDGEROW_COLOUR", "red", "HEDGEROW_COLOUR is not a setting"),
        ("HEDGEROW_ORIGIN", "x", "HEDGEROW_ORIGIN is not a setting"),
        ("HEDGEROW_EGRESS", "all", "HEDGEROW_EGRESS='all': allowed are private, public."),
        ("HEDGEROW_RATE_LIMITS", "maybe", "HEDGEROW_RATE_LIMITS='maybe': allowed are on and off."),
        ("HEDGEROW_PORT", "http", "HEDGEROW_PORT='http': a number is needed."),
        ("HEDGEROW_PORT", "65536", "HEDGEROW_PORT='65536': at most 65535 is allowed."),
        ("HEDGEROW_KEEP_HOURS", "169", "HEDGEROW_KEEP_HOURS='169': at most 168 is allowed."),
        ("HEDGEROW_THREADS", "0", "HEDGEROW_THREADS='0': a number above 0 is needed."),
        ("HEDGEROW_QUERY_SECONDS", "-1", "HEDGEROW_QUERY_SECONDS='-1': a number above 0 is needed."),
        ("HEDGEROW_QUERY_SECONDS", "nan", "HEDGEROW_QUERY_SECONDS='nan': a number above 0 is needed."),
        ("HEDGEROW_SECRET_KEY_FILE", "/nowhere/key", "HEDGEROW_SECRET_KEY_FILE: cannot read /nowhere/key"),
        ("HEDGEROW_TRUSTED_PROXIES", "10.0.0.0/8, proxy", "HEDGEROW_TRUSTED_PROXIES: 'proxy' is not an address"),
        ("HEDGEROW_PUBLIC_URL", "example.com", "HEDGEROW_PUBLIC_URL: it must begin with http:// or https://."),
    ],
)
def test_a_bad_value_stops_the_start(tmp_path: Path, variable: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"HEDGEROW_DATA_DIR": str(tmp_path), variable: value})

    assert says in str(caught.value)


def test_a_bad_database_address_is_refused_without_showing_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"HEDGEROW_DATA_DIR": str(tmp_path), "HEDGEROW_DATABASE_URL": "mysql://me:hunter2@db/x"})

    assert "HEDGEROW_DATABASE_URL: it must begin with postgresql://" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"HEDGEROW_DATA_DIR: cannot use .*/file/data"):
        load({"HEDGEROW_DATA_DIR": str(tmp_path / "file" / "data")})


def test_other_programs_variables_are_left_alone(tmp_path: Path) -> None:
    assert load({"HEDGEROW_DATA_DIR": str(tmp_path), "PATH": "/bin", "PORT": "1"}).port == 8765


def test_the_list_of_settings_holds_every_field_but_the_origin() -> None:
    names = [setting.name for setting in config.settings()]

    assert "origin" not in names
    assert {"data_dir", "database_url", "storage_url", "secret_key", "rate_limits", "egress"} <= set(names)
    secret = ["HEDGEROW_DATABASE_URL", "HEDGEROW_SECRET_KEY", "HEDGEROW_API_KEY"]
    assert [s.variable for s in config.settings() if s.secret] == secret
