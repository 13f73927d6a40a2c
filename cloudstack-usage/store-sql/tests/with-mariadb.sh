#!/bin/sh
# Runs a command with a MariaDB of its own: `with-mariadb.sh cargo test …`.
#
# Starts a server on a free port of the loopback, with a new folder for its data and a new
# password, and names it to the command in CSBILL_TEST_MARIADB (mysql://USER@HOST:PORT) and
# CSBILL_TEST_MARIADB_PASSWORD. Tests that kill a server start others with the program of
# CSBILL_TEST_MARIADB_PROGRAM. The server has a certificate, if there is openssl to make one, and
# CSBILL_TEST_MARIADB_TLS is the folder with its authority (ca.pem) and another (other-ca.pem). When the command has ended, stops its server and removes its
# folder; other servers are left alone.
#
# mariadbd is taken from the machine, else from Debian's packages: installed by root,
# unpacked into the cache folder by anybody else (and by root with CSBILL_UNPACK_MARIADB=1). Where neither works, the command runs
# without a server and its tests of MariaDB are skipped, which is said at the beginning and
# at the end; with CSBILL_REQUIRE_MARIADB=1 that is an error.
set -eu

packages="mariadb-server-core mariadb-client-core" # the second one for my_print_defaults
libraries_needed="libaio1 liburing2 libnuma1"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/cloudstack-billing/mariadb"

say() { printf 'with-mariadb: %s\n' "$*" >&2; }

# Sets the two programs, the machine's own or those of the cache.
find_server() {
    prefix=
    server=$(PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v mariadbd || :)
    install_db=$(command -v mariadb-install-db || :)
    if [ -n "$server" ] && [ -n "$install_db" ] && [ -z "${CSBILL_UNPACK_MARIADB:-}" ]; then
        return 0
    fi
    prefix=$cache
    server=$prefix/usr/sbin/mariadbd
    install_db=$prefix/usr/bin/mariadb-install-db
    [ -x "$server" ]
}

install_server() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" -eq 0 ] && [ -z "${CSBILL_UNPACK_MARIADB:-}" ]; then
        # the core package has no service that could be started
        DEBIAN_FRONTEND=noninteractive
        export DEBIAN_FRONTEND
        # shellcheck disable=SC2086 # a list of names
        { apt-get install -y -q --no-install-recommends $packages ||
            { apt-get update -q && apt-get install -y -q --no-install-recommends $packages; }; } >&2
    else
        # unpacked beside and moved at the end, so that a half one is never found
        mkdir -p "$cache.new"
        # shellcheck disable=SC2086 # a list of names
        (cd "$cache.new" && apt-get download -q $packages $libraries_needed >&2 &&
            for file in *.deb; do dpkg -x "$file" . && rm "$file"; done) || return 1
        rm -rf "$cache" && mv "$cache.new" "$cache"
    fi
    find_server
}

# Writes the program that makes a folder of data, and the one that becomes a server of it.
write_program() {
    folder=$(mktemp -d "${TMPDIR:-/tmp}/csbill-mariadb.XXXXXX")
    common="--no-defaults"
    [ "$(id -u)" -ne 0 ] || common="$common --user=root"
    libraries=
    if [ -n "$prefix" ]; then
        common="$common --basedir=$prefix/usr --lc-messages-dir=$prefix/usr/share/mysql"
        libraries=$(find "$prefix/usr/lib" "$prefix/lib" -maxdepth 1 -name '*-linux-gnu*' 2>/dev/null | tr '\n' ':')
    fi
    program=$folder/mariadb
    cat >"$program" <<END
#!/bin/sh
# make FOLDER | serve FOLDER PORT [FLAG…]
set -eu
export LD_LIBRARY_PATH='$libraries${LD_LIBRARY_PATH:-}'
command=\$1 data=\$2
shift 2
case \$command in
make)
    exec '$install_db' $common --datadir="\$data" --auth-root-authentication-method=normal --skip-test-db
    ;;
serve)
    port=\$1
    shift
    # of its own: a server that starts clears the temporary tables of all others out of it
    mkdir -p "\$data.tmp"
    exec '$server' $common --tmpdir="\$data.tmp" --datadir="\$data" --bind-address=127.0.0.1 --port="\$port" \\
        --socket="\$data.sock" --pid-file="\$data.pid" --skip-name-resolve --skip-log-bin "\$@"
    ;;
esac
END
    chmod +x "$program"
}

start_server() {
    write_program
    tls_flags=
    if command -v openssl >/dev/null; then
        "$(dirname "$0")/../../tests/make-certificates.sh" "$folder/tls" >"$folder/tls.log" 2>&1 || {
            cat "$folder/tls.log" >&2
            return 1
        }
        CSBILL_TEST_MARIADB_TLS=$folder/tls
        export CSBILL_TEST_MARIADB_TLS
        tls_flags="--ssl-cert=$folder/tls/server.pem --ssl-key=$folder/tls/server.key"
    elif [ "${CSBILL_REQUIRE_MARIADB:-0}" = 1 ]; then
        say "there is no openssl, which makes the certificates of tests"
        return 1
    else
        say "SKIPPED: tests of TLS, since there is no openssl"
    fi
    port=$(${PYTHON:-python3} -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    "$program" make "$folder/data" >"$folder/install.log" 2>&1 || {
        cat "$folder/install.log" >&2
        return 1
    }
    umask 077
    {
        echo "DROP USER IF EXISTS ''@'localhost';"
        echo "ALTER USER 'root'@'localhost' IDENTIFIED BY '$password';"
        echo "CREATE USER 'csbill'@'%' IDENTIFIED BY '$password';"
        echo "GRANT ALL ON *.* TO 'csbill'@'%' WITH GRANT OPTION;"
    } >"$folder/init.sql"
    # shellcheck disable=SC2086 # none or two flags; the folder's name has no space
    "$program" serve "$folder/data" "$port" --init-file="$folder/init.sql" $tls_flags \
        --innodb-flush-log-at-trx-commit=2 >"$folder/server.log" 2>&1 &
    server_pid=$!
    # the port answers when the server is ready; it may take long on a busy machine
    tries=0
    until grep -q 'ready for connections' "$folder/server.log" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 240 ] || ! kill -0 "$server_pid" 2>/dev/null; then
            cat "$folder/server.log" >&2
            return 1
        fi
        sleep 0.5
    done
    CSBILL_TEST_MARIADB="mysql://csbill@127.0.0.1:$port"
    CSBILL_TEST_MARIADB_PASSWORD=$password
    CSBILL_TEST_MARIADB_PROGRAM=$program
    export CSBILL_TEST_MARIADB CSBILL_TEST_MARIADB_PASSWORD CSBILL_TEST_MARIADB_PROGRAM
}

stop_server() {
    [ -z "${server_pid:-}" ] || { kill "$server_pid" 2>/dev/null && wait "$server_pid" 2>/dev/null || :; }
    [ -z "${folder:-}" ] || rm -rf "$folder"
}
trap stop_server EXIT
trap 'exit 130' INT TERM

skipped=
if ! { find_server || install_server; }; then
    skipped="there is no mariadbd and it could not be installed"
elif ! start_server; then
    skipped="mariadbd did not start"
fi
if [ -n "$skipped" ]; then
    if [ "${CSBILL_REQUIRE_MARIADB:-0}" = 1 ]; then
        say "$skipped"
        exit 1
    fi
    say "SKIPPED: all tests of MariaDB, since $skipped; install mariadb-server-core to run them"
    unset CSBILL_TEST_MARIADB CSBILL_TEST_MARIADB_PASSWORD CSBILL_TEST_MARIADB_PROGRAM CSBILL_TEST_MARIADB_TLS
fi
status=0
"$@" || status=$?
[ -z "$skipped" ] || say "SKIPPED: all tests of MariaDB (see above)"
exit "$status"
