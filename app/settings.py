"""The settings of the service, read from the environment with the prefix SHOWME_. Sizes are in bytes, times in seconds."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.access.keys import SESSION_SECONDS
from app.job_store import LEASE_SECONDS
from app.logs import LogFormat
from index.decoding.limits import CPU_SECONDS, MEBIBYTE, MEMORY_BYTES, WALL_SECONDS, DecodeLimits
from index.libraries import UNDO_SECONDS, DataFolder
from index.watching.folder_look import SETTLE_SECONDS

_ORIGIN = re.compile(r"https?://[^\s/*?#@]+")  # as browsers send it (RFC 6454)


class Settings(BaseSettings):
    """`Settings()` reads the environment; keyword arguments take precedence."""

    model_config = SettingsConfigDict(env_prefix="SHOWME_", env_ignore_empty=True)

    data_dir: Path = Path("data")
    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL database that holds the catalogue: postgresql://USER:PASSWORD@HOST/DATABASE; empty: an SQLite "
        "file in the data folder",
    )
    weights_dir: Path | None = Field(default=None, description="empty means the shipped encoders")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    default_library: str | None = Field(
        default=None,
        description="SoundFont or folder enrolled on the first start; empty means TimGM6mb, 'none' means none",
    )

    update_libraries: bool = Field(
        default=True,
        description="on start, embed libraries of another encoder again, as after an upgrade; false: only when asked",
    )
    keep_uploads: bool = Field(
        default=True,
        description="keep uploaded sources, from which later encoders embed; false: keep their previews only",
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    log_format: LogFormat = Field(
        default="text", description="lines of the log: text, or json, an object a line"
    )
    traces_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+",
        description="collector of OpenTelemetry that traces are sent to: http://localhost:4318/v1/traces; empty: none",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="more host names to be reached by, with commas between: studio.lan, *.example.org, * (any)",
    )

    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="origins of other sites whose pages may use the API, with commas between: https://studio.example",
    )

    require_keys: bool = Field(
        default=False,
        description="require access keys on loopback too; beyond it, or with allowed_hosts, they always are",
    )
    session_seconds: float = Field(
        default=SESSION_SECONDS,
        gt=0,
        allow_inf_nan=False,
        description="time after which a browser signs in again",
    )
    source_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="folders, with commas between, below which libraries may be filled by path, and updates may read sources "
        "that were enrolled in the terminal; empty: no path, and updates anywhere, or nowhere if keys are required",
    )

    max_upload_bytes: int = Field(
        default=100 * MEBIBYTE,
        ge=1,
        description="largest request body, but for files that are added to a library",
    )
    max_library_bytes: int = Field(
        default=1024 * MEBIBYTE,
        ge=1,
        description="largest upload for a library: in one request, or resumable in pieces",
    )
    resumable_seconds: float = Field(
        default=7 * 24 * 3600.0,
        gt=0,
        allow_inf_nan=False,
        description="time after its last piece until a resumable upload is given up",
    )
    max_resumable_uploads: int = Field(
        default=32, ge=1, description="resumable uploads of a key that are not enrolled yet"
    )
    max_resumable_bytes: int = Field(
        default=4096 * MEBIBYTE, ge=1, description="bytes of all of these together"
    )
    max_uploads: int = Field(default=32, ge=1, description="uploads in flight before 503")
    max_received_bytes: int = Field(
        default=1024 * MEBIBYTE, ge=1, description="bytes of all uploads in flight before 503"
    )
    max_connections: int = Field(
        default=1000,
        ge=1,
        description="connections at once, fewer where the system allows fewer files; the longest silent one gives way",
    )
    client_timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="time for a client to send a request's head, go on with its body, or take on an answer",
    )
    min_body_bytes_per_second: int = Field(
        default=1000, ge=1, description="slowest pace of a request body, over that time"
    )
    max_decoded_seconds: float = Field(default=1800.0, gt=0, description="longest audio a query may decode")
    max_audio_seconds: float = Field(
        default=3600.0, gt=0, description="decoded audio of all queries in flight before 503; 64 kB a second"
    )
    max_top_k: int = Field(default=100, ge=1, description="most hits per slot")
    max_batch_files: int = Field(default=32, ge=1, description="most files of one batch query")
    max_waiting_queries: int = Field(default=16, ge=1, description="queries in flight before 503")
    max_waiting_queries_per_key: int = Field(
        default=8, ge=0, description="queries in flight of one key before 429; 0: as many as of all"
    )
    key_requests_per_minute: int = Field(
        default=600,
        ge=0,
        description="queries, recognitions, timelines, parts, renderings and enrollments of a key in a minute before 429; 0: "
        "any number. Requests without a key count, together, only if it is set",
    )
    max_waiting_jobs: int = Field(default=32, ge=1, description="enrollments in flight before 503")
    max_zip_entries: int = Field(default=20_000, ge=1, description="most files in an uploaded zip")
    max_unpacked_bytes: int = Field(
        default=2048 * MEBIBYTE, ge=1, description="most bytes of a zip, unpacked"
    )
    max_staged_bytes: int = Field(
        default=8192 * MEBIBYTE, ge=1, description="most bytes of all uploads that wait for their enrollment"
    )
    min_free_bytes: int = Field(
        default=256 * MEBIBYTE,
        ge=0,
        description="free space on the data folder's disk below which uploads are refused",
    )
    decode_workers: int = Field(default=2, ge=1, description="processes that decode single files at once")
    decode_memory_bytes: int = Field(
        default=MEMORY_BYTES, ge=512 * MEBIBYTE, description="address space of a process that decodes"
    )
    decode_cpu_seconds: float = Field(
        default=CPU_SECONDS, ge=1, allow_inf_nan=False, description="processor time to decode one file"
    )
    decode_seconds: float = Field(
        default=WALL_SECONDS, gt=0, allow_inf_nan=False, description="time to decode one file or instrument"
    )
    max_presets: int = Field(default=2_000, ge=1, description="most presets of an uploaded SoundFont")
    job_lease_seconds: float = Field(
        default=LEASE_SECONDS,
        gt=0,
        allow_inf_nan=False,
        description="time without a heartbeat after which other processes take a job for interrupted",
    )
    undo_seconds: float = Field(
        default=UNDO_SECONDS,
        ge=0,
        allow_inf_nan=False,
        description="time in which a deletion can be undone",
    )
    settle_seconds: float = Field(
        default=SETTLE_SECONDS,
        gt=0,
        le=3600,
        description="time in which a file of a followed folder must not have changed before it is read",
    )
    max_stored_queries: int = Field(
        default=500, ge=1, description="most stored queries of a key; older ones are deleted with their audio"
    )

    @property
    def catalogue(self) -> Path | str:
        """Where the catalogue is: the file of the data folder, or the URL of a database."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return DataFolder(self.data_dir).database

    @property
    def decode_limits(self) -> DecodeLimits:
        """The limits of the processes that decode."""
        return DecodeLimits(self.decode_memory_bytes, self.decode_cpu_seconds, self.decode_seconds)

    @field_validator("allowed_hosts", "cors_origins", "source_roots", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
        )

    @field_validator("allowed_hosts")
    @classmethod
    def _check_patterns(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if "*" in host.removeprefix("*.") and host != "*":
                raise ValueError(f"{host!r} is not a host name; a pattern is * or begins with *.")
        return hosts

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin: give scheme, host and port alone, as https://studio.example:8443"
                )
        return origins


def keys_required(settings: Settings) -> bool:
    """Whether the service needs keys: it listens beyond loopback, is known by other names, or the settings say so."""
    return settings.require_keys or bool(settings.allowed_hosts) or not _is_loopback(settings.host)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name, or empty: every address
        return False
