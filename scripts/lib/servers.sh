# shellcheck shell=bash
# Throwaway database servers on free loopback ports, with their data in one temporary folder.
# Needs common.sh. Both servers refuse to run as root, so there they run as another account.
#
#   servers_begin                     makes the folder
#   start_postgresql [OPTION…]        sets POSTGRESQL_PORT
#   start_mariadb [OPTION…]           sets MARIADB_PORT
#   in_postgresql, in_mariadb         run their clients as administrators, over a private socket
#   servers_end                       stops both and removes the folder
#
# The account of both servers that others use is `backup`; its password stands in PASSWORD_FILE.

SERVERS_DIR=
PASSWORD_FILE=
POSTGRESQL_PID=
MARIADB_PID=

servers_begin() {
    SERVERS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/dilux-servers.XXXXXX")
    chmod 711 "$SERVERS_DIR"
    PASSWORD_FILE=$SERVERS_DIR/password
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$PASSWORD_FILE")
}

# The account that a server runs as: the first of those named that exists, when we are root.
server_account() {
    local name
    if [ "$(id -u)" -ne 0 ]; then
        id -un
        return
    fi
    for name in "$@"; do
        if id -u "$name" >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return
        fi
    done
}

# Runs a command as account $1, detached from the terminal, so that Ctrl-C reaches only us.
run_as() {
    local account=$1
    shift
    if [ "$(id -u)" -eq 0 ]; then
        exec setsid setpriv --reuid="$account" --regid="$(id -g "$account")" --clear-groups \
            env -i PATH="$PATH" LANG=C.UTF-8 HOME=/nonexistent "$@"
    fi
    exec setsid env -i PATH="$PATH" LANG=C.UTF-8 HOME=/nonexistent "$@"
}

# Makes folder $1 for account $2 alone.
private_folder() {
    mkdir "$1"
    chmod 700 "$1"
    [ "$(id -u)" -ne 0 ] || chown "$2:$(id -g "$2")" "$1"
}

# Waits until the command after $2 succeeds; gives up when process $1 has died or 60 s are over,
# and then shows the end of log $2.
await_server() {
    local pid=$1 log=$2 tries=0
    shift 2
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if ! is_alive "$pid" || [ "$tries" -gt 300 ]; then
            tail -n 20 "$log" >&2
            die "a sample server did not start; the end of its log stands above"
        fi
        sleep 0.2
    done
}

start_postgresql() {
    local account bin dir
    bin=$(find /usr/lib/postgresql/*/bin -name initdb | sort -V | tail -n 1)
    bin=${bin%/initdb}
    account=$(server_account postgres nobody)
    dir=$SERVERS_DIR/postgresql
    private_folder "$dir" "$account"
    POSTGRESQL_PORT=$(free_port 15432)
    POSTGRESQL_BIN=$bin
    (run_as "$account" "$bin/initdb" -D "$dir/data" -U postgres -E UTF8 --locale=C.UTF-8 --no-sync \
        --auth-local=trust --auth-host=scram-sha-256) >"$SERVERS_DIR/initdb.log" 2>&1 ||
        { tail -n 20 "$SERVERS_DIR/initdb.log" >&2; die "initdb failed; its words stand above"; }
    (run_as "$account" "$bin/postgres" -D "$dir/data" -p "$POSTGRESQL_PORT" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" "$@") \
        </dev/null >"$SERVERS_DIR/postgresql.log" 2>&1 &
    POSTGRESQL_PID=$!
    await_server "$POSTGRESQL_PID" "$SERVERS_DIR/postgresql.log" in_postgresql postgres -c 'SELECT 1'
    in_postgresql postgres -q <<SQL
CREATE ROLE backup LOGIN CREATEDB PASSWORD '$(cat "$PASSWORD_FILE")';
SQL
}

# psql in database $1; the other arguments are psql's.
in_postgresql() {
    local database=$1
    shift
    "$POSTGRESQL_BIN/psql" -X -v ON_ERROR_STOP=1 -h "$SERVERS_DIR/postgresql" -p "$POSTGRESQL_PORT" \
        -U postgres -d "$database" "$@"
}

start_mariadb() {
    local account dir
    account=$(server_account mysql nobody)
    dir=$SERVERS_DIR/mariadb
    private_folder "$dir" "$account"
    MARIADB_PORT=$(free_port 13306)
    (run_as "$account" mariadb-install-db --no-defaults --datadir="$dir/data" --skip-test-db \
        --auth-root-authentication-method=socket --auth-root-socket-user="$(id -un)") \
        >"$SERVERS_DIR/mariadb-install-db.log" 2>&1 ||
        { tail -n 20 "$SERVERS_DIR/mariadb-install-db.log" >&2; die "mariadb-install-db failed; its words stand above"; }
    (run_as "$account" /usr/sbin/mariadbd --no-defaults --datadir="$dir/data" --tmpdir="$dir" \
        --socket="$dir/socket" --pid-file="$dir/pid" --bind-address=127.0.0.1 \
        --port="$MARIADB_PORT" --skip-name-resolve --character-set-server=utf8mb4 "$@") \
        </dev/null >"$SERVERS_DIR/mariadb.log" 2>&1 &
    MARIADB_PID=$!
    await_server "$MARIADB_PID" "$SERVERS_DIR/mariadb.log" in_mariadb -e 'SELECT 1'
    in_mariadb mysql <<SQL
CREATE USER 'backup'@'127.0.0.1' IDENTIFIED BY '$(cat "$PASSWORD_FILE")';
GRANT ALL PRIVILEGES ON *.* TO 'backup'@'127.0.0.1' WITH GRANT OPTION;
SQL
}

# The MariaDB client; the arguments are its own.
in_mariadb() {
    mariadb --no-defaults --default-character-set=utf8mb4 --socket="$SERVERS_DIR/mariadb/socket" \
        --user="$(id -un)" "$@"
}

servers_end() {
    [ -z "$POSTGRESQL_PID" ] || stop_process "$POSTGRESQL_PID" INT 20
    [ -z "$MARIADB_PID" ] || stop_process "$MARIADB_PID" TERM 20
    [ -z "$SERVERS_DIR" ] || rm -rf "$SERVERS_DIR"
}
