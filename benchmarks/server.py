"""Runs `showme serve` in a process of its own, on a free loopback port over a given data folder.

Times count from the start of the process; memory is read from Linux.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from benchmarks.figures import NotMeasured

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-c", "from app.cli import app; app()", "serve"]
START_LIMIT_SECONDS = 900.0
POLL_SECONDS = 0.05


class ServerFailed(NotMeasured):
    """The server ended, or did not become ready; the message holds the end of its log."""


class Server:
    """A server as a context: entering starts it and waits until it is ready, leaving stops it."""

    def __init__(self, data_dir: Path, log: Path) -> None:
        self._log = log
        self._port = _free_port()
        self._environment = os.environ | {"SHOWME_DATA_DIR": str(data_dir)}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=300.0)
        self.alive_seconds = self.ready_seconds = 0.0
        self.readiness: dict[str, Any] = {}

    def __enter__(self) -> "Server":
        begun = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "--port", str(self._port)], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        try:
            self._wait_for("/healthz", begun)
            self.alive_seconds = time.monotonic() - begun
            self.readiness = self._wait_for("/readyz", begun)
            self.ready_seconds = time.monotonic() - begun
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def memory_mib(self, field: str) -> float:
        """VmRSS (resident now) or VmHWM (peak), in MiB; Linux only."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        raise ServerFailed(f"this system does not report {field}")

    def forget_peak(self) -> None:
        """Let VmHWM count from now on; Linux only."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def query(self, path: Path, mode: str = "auto") -> tuple[float, dict[str, Any]]:
        """Seconds until the whole answer arrived, and the answer."""
        data = path.read_bytes()
        begun = time.perf_counter()
        response = self.client.post("/v1/queries", files={"file": (path.name, data)}, data={"mode": mode})
        seconds = time.perf_counter() - begun
        if response.status_code >= 400:
            raise ServerFailed(f"a query was refused: {response.text}")
        return seconds, response.json()

    def _wait_for(self, path: str, begun: float) -> dict[str, Any]:
        while time.monotonic() - begun < START_LIMIT_SECONDS:
            if self._process.poll() is not None:
                raise ServerFailed(
                    f"the server ended with status {self._process.returncode}:\n{self._log_end()}"
                )
            try:
                response = self.client.get(path)
                if response.status_code == 200:
                    answer: dict[str, Any] = response.json()
                    return answer
            except httpx.TransportError:
                pass
            time.sleep(POLL_SECONDS)
        raise ServerFailed(f"{path} did not answer within {START_LIMIT_SECONDS:.0f} s:\n{self._log_end()}")

    def _log_end(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]

    def _stop(self) -> None:
        self.client.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
