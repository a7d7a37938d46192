"""Takes rights from a decode worker: limits of resources, no new privileges, no network, no writing, few files to read.

Linux: setrlimit(2), prctl(2), seccomp(2) (x86-64), landlock(7). Each part is left out where the system lacks or refuses it; the
limits of resources hold on every Unix. All parts apply to the calling thread: call them before there is a second one.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22
SECCOMP_MODE_FILTER = 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # with an errno in the lower half
EPERM, ENOSYS = 1, 38
AUDIT_ARCH_X86_64 = 0xC000003E
X32_SYSCALLS = 0x40000000  # the same system calls under other numbers
OFFSET_NUMBER, OFFSET_ARCH, OFFSET_ARGUMENTS = 0, 4, 16  # of struct seccomp_data
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

CLONE_THREAD = 0x00010000
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Numbers of system calls on x86-64, as the kernel's table has them.
NETWORK = (41, 42, 43, 49, 50, 53, 288)  # socket, connect, accept, bind, listen, socketpair, accept4
PROCESSES = (57, 58, 59, 322)  # fork, vfork, execve, execveat
SIGNALS = (62, 129, 200, 234, 297, 424, 434, 438)  # kill and its relatives, pidfd_open, pidfd_getfd
SPYING = (101, 298, 310, 311, 321, 323, 425)  # ptrace, perf, process_vm_…, bpf, userfaultfd, io_uring
KEYRINGS = (248, 249, 250)
MOUNTS = (161, 165, 166, 272, 308, 428, 429, 430, 442)  # chroot, mounts, unshare, setns
PRIORITIES = (141, 144, 203, 314)  # setpriority, sched_set…
NAMES = (82, 83, 84, 85, 86, 87, 88, 133)  # rename, mkdir, rmdir, creat, link, unlink, symlink, mknod
NAMES_AT = (258, 259, 263, 264, 265, 266, 316)  # mkdirat, mknodat, unlinkat, renameat…, linkat, symlinkat
LENGTHS = (76, 77)  # truncate, ftruncate
RIGHTS = (90, 91, 92, 93, 94, 260, 268, 280, 452)  # chmod, chown, their relatives, utimensat
ATTRIBUTES = (188, 189, 190, 197, 198, 199)  # setxattr, removexattr
X86_64_REFUSED = (
    *NETWORK,
    *PROCESSES,
    *SIGNALS,
    *SPYING,
    *KEYRINGS,
    *MOUNTS,
    *PRIORITIES,
    *NAMES,
    *NAMES_AT,
    *LENGTHS,
    *RIGHTS,
    *ATTRIBUTES,
)
X86_64_MISSING = (435, 437)  # clone3, openat2, whose flags no filter reads: callers take the older calls
OPEN, OPENAT, CLONE, PRLIMIT = 2, 257, 56, 302

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # the same on all architectures
LANDLOCK_VERSION, PATH_BENEATH = 1, 1
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
RIGHTS_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}  # of files
TCP = 0b11  # bind, connect; from ABI 4 on
SCOPES = 0b11  # abstract sockets, signals; from ABI 6 on


def limit_resources(open_files: int) -> list[str]:
    """Forbid core dumps, written files and many open ones; return which limits hold."""
    limits = {"CORE": 0, "FSIZE": 0, "NOFILE": open_files}
    return [name for name, value in limits.items() if _limit(name, value)]


def limit_memory(num_bytes: int) -> bool:
    """Limit the address space of this process."""
    return _limit("AS", num_bytes)


def limit_processor(seconds: float) -> None:
    """Let this process compute for about `seconds` more; then the system ends it with SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    _limit("CPU", soft, keep_hard=True)


def _limit(name: str, value: int, *, keep_hard: bool = False) -> bool:
    kind = getattr(resource, f"RLIMIT_{name}", None)
    if kind is None:
        return False
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (value, hard if keep_hard else value))
    except (OSError, ValueError):
        return False
    return True


def refuse_system_calls() -> list[str]:
    """Give up privileges, network, other processes and writing, as far as the system can; return what holds."""
    if sys.platform != "linux":
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return []
    if platform.machine() != "x86_64" or sys.maxsize < 2**32:
        return ["no_new_privs"]
    code = _filter()
    held = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
    done = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0
    return ["no_new_privs", "seccomp"] if done else ["no_new_privs"]


def _filter() -> bytes:
    """Return the program of the filter; each check ends in a return or goes on behind it."""

    def load(offset: int) -> bytes:
        return struct.pack("HBBI", LOAD, 0, 0, offset)

    def give(verdict: int) -> bytes:
        return struct.pack("HBBI", RETURN, 0, 0, verdict)

    def jump(kind: int, value: int, if_true: int, if_false: int) -> bytes:
        return struct.pack("HBBI", kind, if_true, if_false, value)

    def refuse(number: int, error: int = EPERM) -> bytes:
        return jump(JUMP_EQUAL, number, 0, 1) + give(REFUSE | error)

    def refuse_by(number: int, argument: int, test: bytes) -> bytes:
        """Refuse a call unless `test` of the lower half of an argument jumps over the next instruction."""
        body = load(OFFSET_ARGUMENTS + 8 * argument) + test + give(REFUSE | EPERM) + load(OFFSET_NUMBER)
        return jump(JUMP_EQUAL, number, 0, len(body) // 8) + body

    parts = [
        load(OFFSET_ARCH),
        jump(JUMP_EQUAL, AUDIT_ARCH_X86_64, 1, 0),
        give(REFUSE | EPERM),
        load(OFFSET_NUMBER),
        jump(JUMP_AT_LEAST, X32_SYSCALLS, 0, 1),
        give(REFUSE | EPERM),
        *(refuse(number) for number in X86_64_REFUSED),
        *(refuse(number, ENOSYS) for number in X86_64_MISSING),
        refuse_by(OPEN, 1, jump(JUMP_ANY_BIT, WRITING, 0, 1)),
        refuse_by(OPENAT, 2, jump(JUMP_ANY_BIT, WRITING, 0, 1)),
        refuse_by(CLONE, 0, jump(JUMP_ANY_BIT, CLONE_THREAD, 1, 0)),
        refuse_by(PRLIMIT, 0, jump(JUMP_EQUAL, 0, 1, 0)),  # of this process only
        give(ALLOW),
    ]
    return b"".join(parts)


def read_only_below(paths: Iterable[Path]) -> list[str]:
    """Let this process open files below `paths` only, and only to read them; return what holds."""
    if sys.platform != "linux":
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    if abi < 1:
        return []
    rights = RIGHTS_OF_ABI[max(known for known in RIGHTS_OF_ABI if known <= abi)]
    attributes = struct.pack("QQQ", rights, TCP if abi >= 4 else 0, SCOPES if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return []
    try:
        for path in paths:
            _allow_reading(libc, ruleset, path)
        return ["landlock"] if libc.syscall(LANDLOCK_RESTRICT, ruleset, 0) == 0 else []
    finally:
        os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = READ_FILE | (READ_FOLDER if path.is_dir() else 0)
        libc.syscall(LANDLOCK_ADD, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)
