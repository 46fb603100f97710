# shellcheck shell=bash
# Sourced by tests/run: one throwaway PostgreSQL cluster on the loopback address.
# Needs `die` from its caller, and PGBIN and PYTHON from setup.sh.
#
# Durability stays as PostgreSQL ships it: the platform refuses a server with
# fsync off, and the crash tests would mean nothing on one.

# PostgreSQL refuses to run as root, so root hands it to Debian's own user for it.
as_postgres() {
    if ((EUID == 0)); then
        (cd "$PG_DIR" && exec runuser -u "$PG_OWNER" -- "$@")
    else
        (cd "$PG_DIR" && exec "$@")
    fi
}

free_port() {
    "$PYTHON" -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

start_postgres() {
    local port started='' attempt
    PG_OWNER=$(id -un)
    if ((EUID == 0)); then
        PG_OWNER=postgres
        id "$PG_OWNER" >/dev/null 2>&1 ||
            die "PostgreSQL does not run as root, and there is no user '$PG_OWNER' to run it as"
    fi

    PG_DIR=$(mktemp -d "${TMPDIR:-/tmp}/countersign-postgres.XXXXXX")
    chown "$PG_OWNER" "$PG_DIR"
    as_postgres test -w . || die "user '$PG_OWNER' cannot reach $PG_DIR: set TMPDIR to a folder it can reach"

    as_postgres "$PGBIN/initdb" --pgdata=data --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C >"$PG_DIR/initdb.log" 2>&1 ||
        die "initdb failed:
$(cat "$PG_DIR/initdb.log")"
    cat >>"$PG_DIR/data/postgresql.conf" <<'CONF'
# Added by tests/run. Many gateways with a pool each share this server.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
CONF

    # A port that was free a moment ago may be gone by now: try another.
    for attempt in 1 2 3 4 5; do
        port=$(free_port)
        if as_postgres "$PGBIN/pg_ctl" start --silent --wait --timeout=60 --pgdata=data \
            --log=server.log --options="-p $port" </dev/null >/dev/null 2>&1; then
            started=yes
            break
        fi
    done
    [[ -n $started ]] || die "PostgreSQL did not start in $attempt attempts:
$(tail -n 20 "$PG_DIR/server.log")"

    export COUNTERSIGN_TEST_POSTGRES=postgres://postgres@127.0.0.1:$port
    export COUNTERSIGN_TEST_PGBIN=$PGBIN
    # Who runs the clusters that a test makes for itself: as root, not root.
    export COUNTERSIGN_TEST_PGOWNER=$PG_OWNER
    echo "postgresql: started on 127.0.0.1:$port as user $PG_OWNER, process $(sed -n 1p "$PG_DIR/data/postmaster.pid")"
}

# Stops the cluster by the process id in its own folder, and only that.
stop_postgres() {
    [[ -n ${PG_DIR:-} ]] || return 0
    if [[ -f $PG_DIR/data/postmaster.pid ]]; then
        as_postgres "$PGBIN/pg_ctl" stop --silent --wait --timeout=30 --pgdata=data --mode=fast ||
            as_postgres "$PGBIN/pg_ctl" stop --silent --wait --timeout=30 --pgdata=data --mode=immediate || true
    fi
    rm -rf "$PG_DIR"
    PG_DIR=
    echo "postgresql: stopped, its data removed"
}
