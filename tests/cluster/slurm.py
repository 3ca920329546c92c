"""A SLURM of one node, this machine, in a temporary folder: its own key, ports, database and logs.

Nothing of a SLURM or MariaDB that the system itself runs is touched. Needs Debian's or Ubuntu's packages and root.
"""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "mariadb-install-db")
PACKAGES = "slurm-wlm slurmdbd munge mariadb-server"
CPUS, MEMORY = 8, 16_000  # that the node claims to have, whatever the machine has: jobs here are small

SLURM_CONF = """\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
FirstJobId={ctld}
SlurmdPort={slurmd}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=2000
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=batch_sched_delay=0,sched_interval=2,requeue_delay=1
MinJobAge=600
KillWait=10
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory}
PartitionName=main Nodes={host} Default=YES PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes={host} PriorityTier=10
"""
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge.socket
"""
SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd}
SlurmUser=root
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
"""


def missing() -> str | None:
    """Why SLURM cannot be started here; None if it can."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        return f"{absent[0]} is not installed: apt-get install {PACKAGES}"
    return None if os.geteuid() == 0 else "SLURM starts jobs as root: run this as root"


@contextmanager
def slurm_here(*, accounting: bool = True) -> Iterator[dict[str, str]]:
    """Start it, and stop it with all its jobs at the end; yields the environment for `sbatch` and others."""
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as name, ExitStack() as stack:
        folder = Path(name)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))},
            "SLURM_CONF": f"{folder}/slurm.conf",
            "MYSQL_UNIX_PORT": f"{folder}/mariadb.socket",
        }
        _configure(folder, accounting=accounting)

        def start(*command: str, ready: Sequence[str]) -> None:
            stack.enter_context(_daemon(folder, command, environment, ready))

        key = folder / "munge.key"
        start(
            "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}",
            f"--log-file={folder}/munged.log", f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munged.seed",
            ready=("munge", "--no-input", f"--socket={folder}/munge.socket"),
        )  # fmt: skip
        if accounting:
            start(
                "mariadbd", "--no-defaults", f"--datadir={folder}/database", "--skip-networking", "--user=root",
                f"--socket={folder}/mariadb.socket", f"--pid-file={folder}/mariadb.pid",
                ready=("mariadb-admin", "--no-defaults", "ping"),
            )  # fmt: skip
            start("slurmdbd", "-D", ready=("sacctmgr", "--immediate", "add", "cluster", "here"))
        start("slurmctld", "-D", ready=("scontrol", "ping"))
        start("slurmd", "-D", ready=("srun", "--immediate=5", "true"))
        stack.callback(_cancel_all, environment)
        yield environment


def _configure(folder: Path, *, accounting: bool) -> None:
    host = socket.gethostname().partition(".")[0]
    with ExitStack() as stack:  # all held until each is known, so that all differ
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ctld, slurmd, dbd = (one.getsockname()[1] for one in held)
    # Job numbers start at one of them, because a training's port follows from its job's: two clusters here do not meet.
    ports = {"ctld": ctld, "slurmd": slurmd, "dbd": dbd}
    values = {**ports, "folder": folder, "host": host, "cpus": CPUS, "memory": MEMORY}
    for name in ("state", "spool"):
        (folder / name).mkdir()
    _write(folder / "munge.key", os.urandom(128))
    _write(folder / "slurm.conf", (SLURM_CONF + ACCOUNTING * accounting).format(**values).encode())
    if accounting:
        _write(folder / "slurmdbd.conf", SLURMDBD_CONF.format(**values).encode())
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={folder}/database", "--user=root", "--skip-test-db"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def _write(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)  # neither munged nor slurmdbd takes a file that others may read
    file.write_bytes(content)


@contextmanager
def _daemon(
    folder: Path, command: Sequence[str], environment: Mapping[str, str], ready: Sequence[str]
) -> Iterator[None]:
    """Run a program of SLURM's for the length of a block, which begins once the command `ready` succeeds."""
    with (folder / f"{command[0]}.out").open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        patience = time.monotonic() + 30
        while (asked := _run(ready, environment)).returncode:
            if process.poll() is not None or time.monotonic() > patience:
                log = (folder / f"{command[0]}.out").read_text(errors="replace")
                raise RuntimeError(f"{command[0]} does not answer {shlex.join(ready)}:\n{asked.stdout}{log}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=30
    )


def _cancel_all(environment: Mapping[str, str]) -> None:
    _run(["scancel", "--user=root"], environment)
    patience = time.monotonic() + 60
    while _run(["squeue", "--noheader"], environment).stdout and time.monotonic() < patience:
        time.sleep(0.2)


def main() -> int:
    """`scripts/slurm-here [COMMAND...]`: a command, or a shell, with SLURM while it runs."""
    if reason := missing():
        sys.stderr.write(f"scripts/slurm-here: {reason}\n")
        return 2
    command = sys.argv[1:] or [os.environ.get("SHELL", "bash")]
    with slurm_here() as environment:
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
