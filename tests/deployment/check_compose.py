"""Checks docker-compose.yml and the Dockerfile without a Docker engine (`make compose-check`).

If a compose client is installed, it resolves both profiles; without one, the files alone are checked.
"""

import shutil
import subprocess
import sys
from typing import Any

import yaml

from tests.deployment.dockerfile import ROOT, environment, instructions

CLIENTS = (["docker", "compose"], ["docker-compose"])
PROFILES = ("cpu", "gpu")


def client() -> list[str] | None:
    """Return the command of the installed compose client, None if there is none."""
    for command in CLIENTS:
        if shutil.which(command[0]):
            found = subprocess.run([*command, "version"], capture_output=True, check=False)
            if found.returncode == 0:
                return command
    return None


def resolved(command: list[str], profile: str) -> dict[str, Any]:
    """Return the configuration of a profile as the client resolves it."""
    arguments = [*command, "--profile", profile, "config"]
    found = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(f"{' '.join(arguments)}:\n{found.stderr}")
    configuration: dict[str, Any] = yaml.safe_load(found.stdout)
    return configuration


def compose_faults(configuration: dict[str, Any], profile: str) -> list[str]:
    """Return the faults of a profile's service, one sentence each."""
    service = configuration["services"].get(profile)
    if service is None:
        return [f"no service {profile}"]
    faults = []
    if service.get("profiles") != [profile]:
        faults.append("it does not belong to its own profile alone")
    if service["build"]["args"].get("VARIANT") != profile:
        faults.append(f"it builds VARIANT={service['build']['args'].get('VARIANT')}")
    if not any("/data" in str(volume) for volume in service.get("volumes", [])) or not configuration.get(
        "volumes"
    ):
        faults.append("/data is not in a named volume")
    if "/healthz" not in str(service.get("healthcheck")):
        faults.append("its health check does not ask /healthz")
    devices = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
    if any("gpu" in device.get("capabilities", []) for device in devices) != (profile == "gpu"):
        faults.append("the GPU is reserved for the wrong profile")
    return [f"{profile}: {fault}" for fault in faults]


def dockerfile_faults() -> list[str]:
    """Return the faults of the Dockerfile, one sentence each."""
    found = instructions()
    keywords = [instruction.keyword for instruction in found]
    values = {instruction.keyword: instruction.value for instruction in found}
    faults = [
        f"no {keyword}"
        for keyword in ("USER", "HEALTHCHECK", "VOLUME", "EXPOSE", "CMD")
        if keyword not in keywords
    ]
    if values.get("USER") in (None, "root", "0"):
        faults.append("it runs as root")
    if "/healthz" not in values.get("HEALTHCHECK", ""):
        faults.append("its health check does not ask /healthz")
    else:
        next(one for one in found if one.keyword == "HEALTHCHECK").command()
    if not {"VARIANT", "TORCH_INDEX"} <= environment(found, {}).keys():
        faults.append("VARIANT and TORCH_INDEX are not build arguments")
    if environment(found, {}).get("SHOWME_DATA_DIR") != values.get("VOLUME"):
        faults.append("the data folder is not the volume")
    return [f"Dockerfile: {fault}" for fault in faults]


def main() -> int:
    """Print the faults; returns exit status 0 if there are none."""
    command = client()
    plain: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    print(f"compose client: {' '.join(command) if command else 'none, the files alone are checked'}")
    faults = dockerfile_faults()
    for profile in PROFILES:
        faults += compose_faults(resolved(command, profile) if command else plain, profile)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(
        "the compose file and the Dockerfile hold what they should" if not faults else f"{len(faults)} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
