# shellcheck shell=bash
# The measurements of scripts/bench. Each appends a line to $RESULTS:
# engine, variant, seconds, CPU seconds of the tools, stored bytes, peak memory in KiB or 0, CPU
# seconds of the server, seconds that our dump tool computed and that it waited for a core.
# Needs common.sh and servers.sh, and the folder $WORK on the disk that is written to.

API_PID=
PROCESSOR_PID=
readonly COPY=bench_copy

# How the plain tools sign in: no password in an argument or the environment.
client_files() {
    local password
    password=$(cat "$PASSWORD_FILE")
    (
        umask 077
        printf '127.0.0.1:%s:*:backup:%s\n' "$POSTGRESQL_PORT" "$password" >"$SERVERS_DIR/pgpass"
        printf '[client]\nhost=127.0.0.1\nport=%s\nuser=backup\npassword=%s\n' \
            "$MARIADB_PORT" "$password" >"$SERVERS_DIR/client.cnf"
    )
    export PGPASSFILE=$SERVERS_DIR/pgpass PGHOST=127.0.0.1 PGPORT=$POSTGRESQL_PORT PGUSER=backup
}

# The same dumps that our drivers ask for.
dump_postgresql() { "$POSTGRESQL_BIN/pg_dump" --no-owner --no-privileges "$@" bench; }
dump_mariadb() {
    mariadb-dump --defaults-file="$SERVERS_DIR/client.cnf" --default-character-set=utf8mb4 \
        --single-transaction --quick --routines --triggers --events --hex-blob "$@" bench
}

pipe_null() { "dump_$1" >/dev/null; }
pipe_gzip() { "dump_$1" | gzip -6 >"$WORK/$1.gzip"; }
pipe_zstd() { "dump_$1" | zstd -3 -q >"$WORK/$1.zstd"; }
pipe_archive() { "dump_$1" -Fc >"$WORK/$1.archive"; }

# Brings the disk and the server to rest, so that nobody pays for what went before.
settle() {
    in_postgresql postgres -qc CHECKPOINT
    sync
}

# CPU seconds of process $1 and of the children that it has waited for.
cpu_of() {
    awk -v hertz="$(getconf CLK_TCK)" '{ print ($14 + $15 + $16 + $17) / hertz }' "/proc/$1/stat"
}

# CPU seconds of the server of engine $1. PostgreSQL's sessions are children of its first process.
server_cpu() {
    if [ "$1" = postgresql ]; then cpu_of "$POSTGRESQL_PID"; else cpu_of "$MARIADB_PID"; fi
}

difference() { awk -v a="$1" -v b="$2" 'BEGIN { print a - b }'; }

# Runs a command; sets SECONDS_TAKEN and CPU_TAKEN (of it and its children).
timed() {
    local figures TIMEFORMAT='%R %U %S'
    settle
    { time "$@" 2>"$WORK/errors"; } 2>"$WORK/figures" || { cat "$WORK/errors" >&2; die "failed: $*"; }
    figures=$(cat "$WORK/figures")
    SECONDS_TAKEN=${figures%% *}
    CPU_TAKEN=$(awk '{ print $2 + $3 }' "$WORK/figures")
}

record() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" "$6" "$7" "${8:-0}" "${9:-0}" >>"$RESULTS"
    printf '%-11s %-18s %8.2f s  %7.2f CPU s  %11s bytes  %6s KiB  %7.2f CPU s of the server\n' "${@:1:7}"
}

measure_pipe() {
    local engine=$1 variant=$2 pipe=$3 bytes=0 before
    before=$(server_cpu "$engine")
    timed "pipe_$pipe" "$engine"
    [ "$pipe" = null ] || bytes=$(stat -c %s "$WORK/$engine.$pipe")
    record "$engine" "$variant" "$SECONDS_TAKEN" "$CPU_TAKEN" "$bytes" 0 \
        "$(difference "$(server_cpu "$engine")" "$before")"
}

plain_restore_postgresql() {
    psql -X -q -d postgres -c "CREATE DATABASE $COPY TEMPLATE template0"
    zstd -dcq "$WORK/postgresql.zstd" | psql -X -q -v ON_ERROR_STOP=1 -d "$COPY" >/dev/null
}
plain_restore_mariadb() {
    local client=(mariadb "--defaults-file=$SERVERS_DIR/client.cnf" --default-character-set=utf8mb4)
    "${client[@]}" -e "CREATE DATABASE $COPY CHARACTER SET utf8mb4"
    zstd -dcq "$WORK/mariadb.zstd" | "${client[@]}" "$COPY"
}

measure_plain_restore() {
    local engine=$1
    timed "plain_restore_$engine" "$engine"
    record "$engine" 'zstd -dc | client' "$SECONDS_TAKEN" "$CPU_TAKEN" 0 0 0
    drop_copies "$engine"
}

# Drops every database that a restore made.
drop_copies() {
    local name
    if [ "$1" = postgresql ]; then
        in_postgresql postgres -qAt -c "SELECT format('DROP DATABASE %I', datname) FROM pg_database
            WHERE datname LIKE 'bench\_%'" | in_postgresql postgres -q
    else
        in_mariadb -N -e "SHOW DATABASES LIKE 'bench\_%'" | while read -r name; do
            in_mariadb -e "DROP DATABASE \`$name\`" </dev/null
        done
    fi
}

# The API and the processor as processes of their own, so that the processor's memory is its own.
services_begin() {
    export STORAGE_CONNECTION_STRING=file://$WORK/store DILUX_IDLE_POLL_MILLISECONDS=50
    export DILUX_API_ADDRESS
    DILUX_API_ADDRESS=127.0.0.1:$(free_port 7171)
    mkdir -p "$WORK/store"
    target/release/dilux token create --name bench --role admin --file "$WORK/token"
    target/release/dilux-api </dev/null >"$WORK/api.log" 2>&1 &
    API_PID=$!
    target/release/dilux-processor </dev/null >"$WORK/processor.log" 2>&1 &
    PROCESSOR_PID=$!
    until curl -sf "http://$DILUX_API_ADDRESS/api/health" >/dev/null; do
        is_alive "$API_PID" || { tail -n 20 "$WORK/api.log" >&2; die 'the API did not start'; }
        sleep 0.1
    done
}

services_end() {
    [ -z "$API_PID" ] || stop_process "$API_PID" TERM 30
    [ -z "$PROCESSOR_PID" ] || stop_process "$PROCESSOR_PID" TERM 30
    API_PID=
    PROCESSOR_PID=
}

# Starts a new peak of the processor's memory: proc(5), clear_refs.
reset_peak() { echo 5 >"/proc/$PROCESSOR_PID/clear_refs"; }

# The peak since then, in KiB.
peak() { awk '/^VmHWM/ { print $2 }' "/proc/$PROCESSOR_PID/status"; }

# Backs the bench database of an engine up through the API; sets OUTCOME to the JSON of `dilux try`.
try_ours() {
    local engine=$1 codec=$2 extent=$3 scheme=mysql port=$MARIADB_PORT
    if [ "$engine" = postgresql ]; then
        scheme=postgresql
        port=$POSTGRESQL_PORT
    fi
    OUTCOME=$(target/release/dilux try --api "http://$DILUX_API_ADDRESS" --json --until "$extent" \
        --token-file "$WORK/token" --compression "$codec" \
        "$scheme://backup@127.0.0.1:$port/bench?password_file=$PASSWORD_FILE" 2> >(note_restore))
}

# Passes on what `dilux try` says; when it says that a restore begins, notes the processor's CPU.
note_restore() {
    local line
    while IFS= read -r line; do
        case $line in Restoring*) cpu_of "$PROCESSOR_PID" >"$WORK/cpu-before-restore" ;; esac
        printf '%s\n' "$line" >&2
    done
}

# CPU seconds of the processor and its tools since the last restore began.
restore_cpu() { difference "$(cpu_of "$PROCESSOR_PID")" "$(cat "$WORK/cpu-before-restore")"; }

figure() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" <<<"$OUTCOME"; }

# Follows our dump tool until $WORK/dumped is there, and notes the seconds that it computed and that
# it waited for a core: proc(5), schedstat.
watch_tool() {
    local tool= computed waited _
    echo 0 0 >"$WORK/tool"
    until [ -e "$WORK/dumped" ]; do
        [ -n "$tool" ] || tool=$(pgrep -P "$PROCESSOR_PID" dump) || tool=
        if [ -n "$tool" ] && read -r computed waited _ 2>/dev/null <"/proc/$tool/schedstat"; then
            awk -v computed="$computed" -v waited="$waited" 'BEGIN { print computed / 1e9, waited / 1e9 }' >"$WORK/tool"
        fi
        sleep 0.1
    done
}

measure_ours() {
    local engine=$1 codec=$2 before server_before cpu server watcher computed waited
    settle
    reset_peak
    before=$(cpu_of "$PROCESSOR_PID")
    server_before=$(server_cpu "$engine")
    rm -f "$WORK/dumped"
    watch_tool &
    watcher=$!
    try_ours "$engine" "$codec" backup
    touch "$WORK/dumped"
    wait "$watcher"
    read -r computed waited <"$WORK/tool"
    cpu=$(difference "$(cpu_of "$PROCESSOR_PID")" "$before")
    server=$(difference "$(server_cpu "$engine")" "$server_before")
    record "$engine" "ours, $codec" "$(figure backup_seconds)" "$cpu" "$(figure stored_bytes)" "$(peak)" \
        "$server" "$computed" "$waited"
}

# A restore needs a backup before it; the peak is that of both.
measure_our_restore() {
    local engine=$1
    settle
    reset_peak
    try_ours "$engine" zstd restore
    record "$engine" 'ours, restore' "$(figure restore_seconds)" "$(restore_cpu)" 0 "$(peak)" 0
    drop_copies "$engine"
}

# As a restore, with a comparison of both databases at the end; fails when they differ.
measure_comparison() {
    local engine=$1
    settle
    reset_peak
    try_ours "$engine" zstd compare
    record "$engine" 'ours, restore and comparison' "$(figure restore_seconds)" "$(restore_cpu)" 0 "$(peak)" 0
    drop_copies "$engine"
}

# What the services hold when they have nothing to do, in KiB: sets REST_PROCESSOR and REST_API.
# shellcheck disable=SC2034 # report.sh shows them
note_rest() {
    sleep 2
    REST_PROCESSOR=$(awk '/^VmRSS/ { print $2 }' "/proc/$PROCESSOR_PID/status")
    REST_API=$(awk '/^VmRSS/ { print $2 }' "/proc/$API_PID/status")
}
