#!/usr/bin/env bash
# A Slurm of two nodes on this machine, to try the profile for clusters with: tools/slurm.sh up, status or down.
# It is Debian's Slurm, listens on the loopback interface only and keeps everything in one folder, .slurm/ in the
# project or $SLURM_STATE. The one thing outside is a link, /etc/slurm/slurm.conf, which `down` takes away again:
# Snakemake's jobs do not inherit SLURM_CONF. Needs root, as the daemon of a node starts jobs for others.
# With --accounting there is a database of jobs too, which `sacct` asks: slurmdbd, and a MariaDB without a port.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
state=$(realpath -m "${SLURM_STATE:-$root/.slurm}")
conf=$state/slurm.conf
dbd_conf=$state/slurmdbd.conf
link=/etc/slurm/slurm.conf
nodes="n1 n2" # n1 is partition main, n2 partition spare
packages="slurm-wlm munge"
# Not mariadb-server, which would start a database of the machine.
accounting_packages="mariadb-server-core mariadb-client-core slurmdbd"
install=no accounting=no
export SLURM_CONF=$conf PATH=$PATH:/usr/sbin

stop() {
    printf '\n%s\n\n' "$1" >&2
    exit 1
}

usage() {
    stop "Usage: tools/slurm.sh up [OPTIONS] | down | status | with [OPTIONS] COMMAND ... | able [OPTIONS]
  up            starts munged, slurmctld and a slurmd for each node, and waits until the nodes take jobs
  down          cancels all jobs, stops all of them and removes $state
  status        says what runs; exit code 3 if nothing does
  with          up --install, a command, down; exit code of the command, or 1 if something was left behind
  able          says why \`with\` cannot work here, exit code 1; nothing if it can
  --install     gets the packages first where they are missing ($packages)
  --accounting  starts a database of jobs too, for \`sacct\` ($accounting_packages)"
}

# Takes the options that stand first; what follows them is in words.
take_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
        --install) install=yes ;;
        --accounting) accounting=yes packages="$packages $accounting_packages" ;;
        *) break ;;
        esac
        shift
    done
    words=("$@")
}

# Names of the daemons, as their files of process numbers have them.
daemons() {
    printf 'slurmd-%s ' $nodes && echo slurmctld
    if has_accounting; then echo slurmdbd mariadbd; fi
    echo munged
}

has_accounting() { [ -e "$dbd_conf" ]; }

# Whether a process is one that this cluster has started: all have the variable, and slurmdbd no argument.
is_ours() { tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | grep -qxF "SLURM_CONF=$conf"; }

# Process of a daemon; nothing where it does not run. A number left behind may be another's by now, so look at it.
process_of() {
    local file=$state/run/$1.pid pid
    [ -s "$file" ] || return 0
    pid=$(<"$file")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${1%%-*}" ] && is_ours "$pid"; then echo "$pid"; fi
}

# Processes of this cluster that have a name.
processes() {
    local pid
    for pid in $(grep -lsx "$1" /proc/[0-9]*/comm | cut -d/ -f3); do
        if is_ours "$pid"; then echo "$pid"; fi
    done
}

left_behind() {
    local name
    for name in slurmstepd slurmd slurmctld slurmdbd mariadbd munged; do processes $name; done
}

is_up() {
    local daemon
    for daemon in $(daemons); do [ -n "$(process_of "$daemon")" ] || return 1; done
}

# wait_for SECONDS COMMAND...: whether the command succeeds within that time.
wait_for() {
    local tries=$(($1 * 5))
    shift
    until "$@"; do
        ((tries-- > 0)) || return 1
        sleep 0.2
    done
}

is_idle() { [ "$(sinfo -h -N -t idle,mix,alloc -o %N 2>/dev/null | sort | xargs)" = "$nodes" ]; }
knows_clusters() { sacctmgr -n show cluster >/dev/null 2>&1; }
has_no_jobs() { [ -z "$(squeue -h 2>/dev/null)" ]; }
is_gone() { ! grep -qs '^State:\s*[^ZX]' "/proc/$1/status"; } # one that ended waits for its parent as a zombie

missing_programs() {
    local program
    local programs="munged slurmctld slurmd squeue"
    [ $accounting = no ] || programs="$programs slurmdbd mariadbd mariadb-install-db my_print_defaults"
    for program in $programs; do
        command -v "$program" >/dev/null || printf ' %s' "$program"
    done
}

check_packages() {
    local missing
    missing=$(missing_programs)
    [ -n "$missing" ] || return 0
    local line="apt-get update && apt-get install -y --no-install-recommends $packages"
    if [ $install = no ]; then
        stop "Missing:$missing. On Debian or Ubuntu:
  $line
or tools/slurm.sh up with --install, which runs that line."
    fi
    command -v apt-get >/dev/null || stop "--install knows apt-get only; install Slurm and munge by other means."
    DEBIAN_FRONTEND=noninteractive sh -c "$line" >&2
}

# The daemons listen on the address that the name of this machine stands for (NoInAddrAny), and are asked there.
check_name() {
    [ "$(getent ahostsv4 "$(uname -n)" | awk 'NR == 1 {print $1}')" != 127.0.0.1 ] || return 0
    stop "the name of this machine, $(uname -n), does not stand for 127.0.0.1, where all of this Slurm is to listen:
write it behind 127.0.0.1 in /etc/hosts"
}

# A configuration that is not ours belongs to a cluster: it is never touched.
check_link() {
    [ -e "$link" ] || return 0
    [ "$(readlink "$link")" != "$conf" ] || return 0
    local other
    other=$(readlink "$link") || stop "$link exists: this machine has a Slurm already.
Use that one: snakemake --profile profiles/slurm"
    stop "A Slurm is up from another folder. To use this one instead, first:
  SLURM_STATE=$(dirname "$other") tools/slurm.sh down"
}

# First port of 104 free ones: controller, two nodes, 100 for steps, and the database of jobs.
free_ports() {
    python3 - <<'P'
import random, socket, sys

def free(port):
    with socket.socket() as found:
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

for _ in range(50):
    first = random.randrange(20000, 32000)
    if all(free(port) for port in range(first, first + 104)):
        print(first)
        sys.exit()
sys.exit("no 104 free ports in a row between 20000 and 32000")
P
}

write_configuration() {
    local port cpus memory storage="AccountingStorageType=accounting_storage/none"
    port=$(free_ports)
    cpus=$(nproc)
    ((cpus >= 8)) || cpus=8 # what tests start at a time, though it may be more than there are
    memory=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.8)}' /proc/meminfo)
    if [ $accounting = yes ]; then
        storage="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((port + 103))
AccountingStoragePass=$state/run/munge.socket
AccountingStorageEnforce=associations"
    fi
    # No cgroups, which containers do not lend: jobs are process groups, and a look once a second ends those that
    # hold more memory than they asked for. Jobs that ended stay visible for MinJobAge seconds, as there is no
    # database of them by default. Lost jobs are left to Snakemake (JobRequeue=0); a node that comes back takes jobs
    # again.
    cat >"$conf" <<C
ClusterName=faultline
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$state/run/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=$port
SrunPortRange=$((port + 3))-$((port + 102))
StateSaveLocation=$state/controller
SlurmdSpoolDir=$state/node/%n
SlurmctldPidFile=$state/run/slurmctld.pid
SlurmdPidFile=$state/run/slurmd-%n.pid
SlurmctldLogFile=$state/log/slurmctld.log
SlurmdLogFile=$state/log/slurmd-%n.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
MinJobAge=3600
JobRequeue=0
ReturnToService=2
KillWait=2
SlurmdParameters=config_overrides
$storage
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
NodeName=DEFAULT CPUs=$cpus RealMemory=$memory
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((port + 1))
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((port + 2))
PartitionName=main Nodes=n1 Default=YES MaxTime=INFINITE State=UP
PartitionName=spare Nodes=n2 MaxTime=INFINITE State=UP
C
    [ $accounting = no ] || write_dbd_configuration $((port + 103))
}

# Of slurmdbd, with its port; without NoInAddrAny it would listen on all addresses, as the others would.
write_dbd_configuration() {
    (umask 077 && cat >"$dbd_conf") <<C
AuthType=auth/munge
AuthInfo=socket=$state/run/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$1
CommunicationParameters=NoInAddrAny
SlurmUser=root
PidFile=$state/run/slurmdbd.pid
LogFile=$state/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=faultline
C
}

# A MariaDB of its own, which only root on this machine can reach, by a socket; then what asks it.
start_database() {
    local data=$state/database socket=$state/run/mariadb.socket log=$state/log/mariadb.log
    mariadb-install-db --no-defaults --datadir="$data" --user=root --skip-test-db >"$log" 2>&1 || return 1
    setsid mariadbd --no-defaults --datadir="$data" --user=root --skip-networking --socket="$socket" \
        >>"$log" 2>&1 </dev/null &
    echo $! >"$state/run/mariadbd.pid"
    wait_for 20 test -S "$socket" && MYSQL_UNIX_PORT=$socket slurmdbd && wait_for 20 knows_clusters &&
        sacctmgr -i add cluster faultline &&
        sacctmgr -i add account faultline description=tests organization=faultline &&
        sacctmgr -i add user root account=faultline defaultaccount=faultline
}

start_daemons() {
    (umask 077 && head -c 1024 /dev/urandom >"$state/run/munge.key")
    # --force: the folder of a user's project is not as guarded as munge would like the key of a cluster to be.
    munged --force --num-threads 2 --key-file "$state/run/munge.key" --socket "$state/run/munge.socket" \
        --pid-file "$state/run/munged.pid" --seed-file "$state/run/munged.seed" \
        --log-file "$state/log/munged.log"
    if has_accounting; then start_database >>"$state/log/start.log" || return 1; fi
    slurmctld -c -f "$conf"
    local node
    for node in $nodes; do slurmd -f "$conf" -N "$node"; done
}

up() {
    local is
    check_packages
    [ "$(id -u)" = 0 ] || stop "tools/slurm.sh up needs root: sudo tools/slurm.sh up"
    command -v python3 >/dev/null || stop "tools/slurm.sh needs python3."
    # The name of a socket has 108 characters at most.
    [ ${#state} -le 80 ] || stop "$state: too long for sockets; name a shorter folder: SLURM_STATE=/tmp/slurm $0 up"
    check_name
    if is_up; then
        if has_accounting; then is=yes; else is=no; fi
        [ $is = $accounting ] || stop "A Slurm is up (accounting: $is). To change that, first: tools/slurm.sh down"
        echo "already up: $state"
        return
    fi
    check_link
    if [ -e "$conf" ]; then down >/dev/null; fi # what a crash left
    [ -z "$(ls -A "$state" 2>/dev/null)" ] || stop "$state holds other files; name an empty folder in SLURM_STATE."
    mkdir -p "$state"/{run,log,controller,node/{n1,n2}}
    write_configuration
    mkdir -p "$(dirname "$link")"
    ln -sfn "$conf" "$link"
    if ! start_daemons 2>>"$state/log/start.log" || ! wait_for 20 is_idle; then
        tail -n 5 "$state"/log/*.log >&2
        stop_daemons
        stop "Slurm did not start; its last words are above, all of them in $state/log."
    fi
    echo "up: node n1 in partition main, n2 in partition spare, state in $state"
}

# Unlinks, ends the jobs in good order, then the daemons; each is killed if it does not go.
stop_daemons() {
    local daemon pid child
    if is_up; then
        # Pending ones first, or they would start as others end.
        squeue -h -o %A | sort -un | xargs -r scancel 2>/dev/null || true
        wait_for 15 has_no_jobs || echo "some jobs did not end in time" >&2
    fi
    for daemon in $(daemons); do
        pid=$(process_of "$daemon")
        [ -n "$pid" ] || continue
        kill "$pid"
        wait_for 10 is_gone "$pid" || kill -9 "$pid"
    done
    # Those of a node that was declared down know nothing of the end; nor does a database that was being made.
    for pid in $(processes slurmstepd) $(processes mariadbd); do
        for child in $(cat "/proc/$pid/task/"*/children 2>/dev/null); do kill -9 -- "-$child" 2>/dev/null || true; done
        kill -9 "$pid" 2>/dev/null || true
    done
    if [ "$(readlink "$link")" = "$conf" ]; then rm "$link"; fi
}

down() {
    if [ ! -e "$conf" ]; then
        echo "not up: $state"
        return
    fi
    stop_daemons
    rm -rf "$state"
    echo "down"
}

# What keeps the tests from running here, if anything does.
able() {
    [ "$(uname -s)" = Linux ] || stop "not on Linux"
    [ "$(id -u)" = 0 ] || stop "not as root, which the daemon of a node needs"
    check_name
    if [ -n "$(missing_programs)" ]; then
        command -v apt-get >/dev/null || stop "without$(missing_programs), and there is no apt-get to install $packages with"
        { apt-get update && apt-get install -s --no-install-recommends $packages; } >/dev/null 2>&1 ||
            stop "without$(missing_programs), and apt-get cannot install $packages"
    fi
}

with() {
    local code=0
    install=yes
    up
    "$@" || code=$?
    down
    if [ -n "$(left_behind)" ] || [ "$(readlink "$link")" = "$conf" ]; then
        stop "Something of the cluster was left behind."
    fi
    exit "$code"
}

status() {
    is_up || {
        echo "not up: $state"
        exit 3
    }
    sinfo -o "%N %T, %c CPUs, %m MB, partition %R"
    squeue -o "%.8i %.30k %.10T %.8M %R"
}

command=${1:-}
take_options "${@:2}"
case "$command ${words[*]}" in
"up ") up ;;
"down ") down ;;
"status ") status ;;
"able ") able ;;
with\ ?*) with "${words[@]}" ;;
*) usage ;;
esac
