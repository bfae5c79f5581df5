# shellcheck shell=bash
# What the scripts share: where the repository is, how they talk, and how they end what they began.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # used by the scripts that read this file
readonly ROOT

# A header between stages, on standard output.
stage() { printf '\n==> %s\n' "$*"; }

# A remark, on standard error.
say() { printf '%s\n' "$*" >&2; }

# A last sentence, and the end.
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Runs a command as the administrator.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this step needs root: $*"
    fi
}

# Whether something listens on a loopback port.
port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints the first free loopback port from $1 on.
free_port() {
    local port=$1
    while port_is_taken "$port"; do port=$((port + 1)); done
    printf '%s\n' "$port"
}

# Whether a process lives. A zombie does not.
is_alive() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
    [ -n "$state" ] && [ "$state" != Z ]
}

# Asks the process $1 to end with signal $2, waits up to $3 seconds, then kills it.
stop_process() {
    local pid=$1 signal=$2 seconds=$3 waited=0
    kill "-$signal" "$pid" 2>/dev/null || return 0
    while is_alive "$pid" && [ "$waited" -lt $((seconds * 10)) ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    if is_alive "$pid"; then
        say "process $pid did not end within $seconds s; killing it"
        kill -KILL "$pid" 2>/dev/null || true
    fi
    wait "$pid" 2>/dev/null || true
}
