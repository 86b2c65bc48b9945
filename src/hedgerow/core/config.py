"""Every setting: name, type, default, one sentence. Read from the environment once, at start.

A secret may come from `HEDGEROW_X` or from a file named by `HEDGEROW_X_FILE`. A bad value or an unknown
`HEDGEROW_` variable stops the start with the name, the value seen, and what is allowed.
"""

import math
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

SECRET_KEY_FILE: Final = "secret_key"  # noqa: S105 - a file name
_MOST: Final = {"port": 65535, "keep_hours": 168}  # a log forgets dropped files after a week
_SWITCH: Final = {"on": True, "1": True, "true": True, "yes": True} | dict.fromkeys(
    ("off", "0", "false", "no", ""), False
)
_STARTS: Final = {
    "database_url": ("postgresql://", "postgres://"),
    **dict.fromkeys(("public_url", "server_url"), ("http://", "https://")),
}


class ConfigError(Exception):
    """A setting that cannot be used; the text names it, the value seen and what is allowed."""


def _setting(default: Any, sentence: str, *, choices: tuple[str, ...] = (), secret: bool = False) -> Any:
    return field(default=default, metadata={"sentence": sentence, "choices": choices, "secret": secret})


@dataclass(frozen=True)
class Config:
    """All settings. Each field `x` is read from `HEDGEROW_X`; `origin` says where each value came from."""

    data_dir: Path = _setting(Path("hedgerow-data"), "Folder of everything kept: database, tables, secret key.")
    database_url: str = _setting("", "postgresql://… for the metadata; empty: SQLite in the data folder.", secret=True)
    storage_url: str = _setting(
        "", "Where tables lie: a folder or s3://bucket/prefix; empty: `tables` in the data folder."
    )
    secret_key: str = _setting(
        "", "Seals stored credentials; made and kept in the data folder on first start.", secret=True
    )
    host: str = _setting("127.0.0.1", "Address the server listens on.")
    port: int = _setting(8765, "Port the server listens on; 0 takes a free one.")
    public_url: str = _setting("", "Address people use, for links; empty: the request's own host.")
    trusted_proxies: str = _setting("", "Addresses of proxies whose X-Forwarded-* headers count, separated by commas.")
    cors_origins: str = _setting("", "Origins that may send cookies, separated by commas.")
    rate_limits: bool = _setting(False, "Whether keys and addresses are limited as the API page documents.")
    egress: str = _setting(
        "private",
        "Which hosts sources may be on: private (any but link-local and the like) or public.",
        choices=("private", "public"),
    )
    workers: int = _setting(2, "Runs that one worker process works on at once.")
    source_runs: int = _setting(2, "Runs of one source at once, over all workers.")
    source_silence_seconds: float = _setting(
        60.0,
        "How long a source may send nothing. It is then asked whether it is at work, as a long sort is or a wait for a "
        "lock; if not, the read is broken off and tried again.",
    )
    lease_seconds: float = _setting(30.0, "How long a silent worker is trusted before its runs are taken up elsewhere.")
    sync_memory_mib: int = _setting(256, "Memory for the reader of one run, in MiB.")
    keep_hours: int = _setting(
        6, "How long old versions of a table are kept, in hours (at most 168); longer than a query or run."
    )
    query_memory_mib: int = _setting(512, "Memory of one query, in MiB.")
    query_seconds: float = _setting(10.0, "How long one query may take, in seconds.")
    query_processes: int = _setting(2, "Queries that run at once in one server.")
    threads: int = _setting(16, "Requests the server answers at once.")
    server_url: str = _setting(
        "http://127.0.0.1:8765", "Address of the server that commands such as `hedgerow files` speak to."
    )
    api_key: str = _setting("", "Key that such commands act with.", secret=True)
    project: str = _setting("@current", "Id of the project that such commands are about; `@current`: the key's own.")
    log_level: str = _setting("info", "How much is logged.", choices=("debug", "info", "warning", "error"))
    log_format: str = _setting("text", "How a line of the log is written.", choices=("text", "json"))
    origin: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sqlite_path(self) -> Path:
        """The embedded database's file."""
        return self.data_dir / "hedgerow.sqlite3"

    @property
    def storage(self) -> str:
        """Where tables lie: the setting, or the folder `tables` in the data folder (absolute)."""
        return self.storage_url or str(self.data_dir / "tables")


@dataclass(frozen=True)
class Setting:
    """What there is to know about one setting, for docs and `doctor`."""

    name: str
    default: Any
    sentence: str
    choices: tuple[str, ...]
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable it is read from."""
        return f"HEDGEROW_{self.name.upper()}"


def settings() -> list[Setting]:
    """Every setting, in order."""
    return [Setting(f.name, f.default, **f.metadata) for f in fields(Config) if f.name != "origin"]


def load(environ: Mapping[str, str] | None = None, *, make: bool = True) -> Config:
    """The settings of this process. Raises ConfigError. `make`: the data folder and the secret key, when absent."""
    environ = os.environ if environ is None else environ
    known = {f.name for f in fields(Config) if f.name != "origin"}
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for variable, raw in environ.items():
        if not variable.startswith("HEDGEROW_"):
            continue
        name, text = variable.removeprefix("HEDGEROW_").lower(), raw
        if name.endswith("_file") and name.removesuffix("_file") in known:
            name, text = name.removesuffix("_file"), _read(variable, raw)
        if name not in known:
            raise ConfigError(f"{variable} is not a setting of Hedgerow. `hedgerow doctor` lists them all.")
        values[name] = _convert(variable, name, text)
        origin[name] = f"environment ({variable})"
    config = Config(**values, origin=origin)
    return _complete(config, values, origin, make=make)


def _complete(config: Config, values: dict[str, Any], origin: dict[str, str], *, make: bool) -> Config:
    """Absolute data folder; secret key read or made."""
    values["data_dir"] = config.data_dir.expanduser().absolute()
    try:
        if make:
            values["data_dir"].mkdir(parents=True, exist_ok=True)
        if not config.secret_key and (make or (values["data_dir"] / SECRET_KEY_FILE).exists()):
            values["secret_key"] = _kept_secret(values["data_dir"] / SECRET_KEY_FILE)
            origin["secret_key"] = f"file ({values['data_dir'] / SECRET_KEY_FILE})"
    except OSError as error:
        raise ConfigError(
            f"HEDGEROW_DATA_DIR: cannot use {values['data_dir']}: {error.strerror}. Name a folder that can be written."
        ) from error
    return Config(**values, origin=origin)


def _kept_secret(path: Path) -> str:
    """The secret in `path`, made there (mode 600) when absent; of two first starts at once, one wins."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def _read(variable: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ConfigError(f"{variable}: cannot read {path}: {error.strerror}.") from error


def _convert(variable: str, name: str, text: str) -> Any:
    setting = next(s for s in settings() if s.name == name)
    text = text.strip()
    if setting.choices and text not in setting.choices:
        raise ConfigError(f"{variable}={text!r}: allowed are {', '.join(setting.choices)}.")
    if isinstance(setting.default, bool):
        if text.lower() not in _SWITCH:
            raise ConfigError(f"{variable}={text!r}: allowed are on and off.")
        return _SWITCH[text.lower()]
    if isinstance(setting.default, int | float):
        return _number(variable, name, text, type(setting.default))
    return Path(text) if isinstance(setting.default, Path) else _checked(variable, name, text)


def _number(variable: str, name: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        number = kind(text)
    except ValueError:
        raise ConfigError(f"{variable}={text!r}: a number is needed.") from None
    if not math.isfinite(number) or number < 0 or (number == 0 and name != "port"):
        raise ConfigError(f"{variable}={text!r}: a number above 0 is needed.")
    if name in _MOST and number > _MOST[name]:
        raise ConfigError(f"{variable}={text!r}: at most {_MOST[name]} is allowed.")
    return number


def _checked(variable: str, name: str, text: str) -> str:
    """Texts that must have a certain form."""
    if not text:
        return text
    if name == "trusted_proxies":
        for part in text.split(","):
            try:
                ip_network(part.strip(), strict=False)
            except ValueError:
                raise ConfigError(f"{variable}: {part.strip()!r} is not an address or network.") from None
    for setting, starts in _STARTS.items():
        if name == setting and not text.startswith(starts):
            # The value is not shown: a database's address holds its password.
            raise ConfigError(f"{variable}: it must begin with {' or '.join(starts)}.")
    return text
