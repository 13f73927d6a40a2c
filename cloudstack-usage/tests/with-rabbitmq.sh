#!/bin/sh
# Runs a command with a RabbitMQ of its own: `with-rabbitmq.sh cargo test …`.
#
# Starts a broker on free ports of the loopback, with a new folder for its data and logs and a
# new password, and names it to the command in CSBILL_TEST_RABBITMQ (amqp://USER@HOST:PORT),
# CSBILL_TEST_RABBITMQ_PASSWORD and CSBILL_TEST_RABBITMQ_CONTROL, a program that takes `stop`,
# `kill` and `start` for tests of a broker that goes away, and `ctl …` for rabbitmqctl. If there is
# openssl, CSBILL_TEST_RABBITMQ_TLS (amqps://USER@HOST:PORT) is the same broker with a certificate,
# and CSBILL_TEST_RABBITMQ_AUTHORITIES the folder of its authority (ca.pem) and another
# (other-ca.pem). When the command has ended, stops
# that broker and removes its folder; others are left alone.
#
# The broker is taken from the machine, else from Debian's packages, unpacked into the cache
# folder (installing them would start a service). Where neither works, the command runs without
# a broker and its tests are skipped, which is said at the beginning and at the end; with
# CSBILL_REQUIRE_RABBITMQ=1 that is an error.
set -eu

packages="rabbitmq-server erlang-base erlang-asn1 erlang-crypto erlang-eldap erlang-inets
    erlang-mnesia erlang-os-mon erlang-parsetools erlang-public-key erlang-runtime-tools
    erlang-ssl erlang-syntax-tools erlang-tools erlang-xmerl"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/cloudstack-billing/rabbitmq"

say() { printf 'with-rabbitmq: %s\n' "$*" >&2; }

# Sets the prefix of the programs: the machine's own or those of the cache.
find_server() {
    prefix=
    if [ -z "${CSBILL_UNPACK_RABBITMQ:-}" ] && [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] &&
        command -v erl >/dev/null; then
        return 0
    fi
    prefix=$cache
    [ -x "$prefix/usr/lib/rabbitmq/bin/rabbitmq-server" ]
}

unpack_server() {
    command -v apt-get >/dev/null || return 1
    # unpacked beside and moved at the end, so that a half one is never found
    rm -rf "$cache.new" && mkdir -p "$cache.new"
    (
        cd "$cache.new"
        # shellcheck disable=SC2086 # a list of names
        { apt-get download -q $packages || { apt-get update -q && apt-get download -q $packages; }; } >&2
        for file in *.deb; do dpkg -x "$file" . && rm "$file"; done
    ) || return 1
    # Debian's `erl` knows its folder by name
    mkdir -p "$cache.new/bin"
    cat >"$cache.new/bin/erl" <<'END'
#!/bin/sh
ROOTDIR=$(cd "$(dirname "$0")/../usr/lib/erlang" && pwd)
BINDIR=$(echo "$ROOTDIR"/erts-*/bin)
EMU=beam
PROGNAME=erl
export ROOTDIR BINDIR EMU PROGNAME
exec "$BINDIR/erlexec" "$@"
END
    chmod +x "$cache.new/bin/erl"
    rm -rf "$cache" && mv "$cache.new" "$cache"
    find_server
}

free_ports() {
    ${PYTHON:-python3} -c 'import socket
sockets = [socket.socket() for _ in range(4)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))'
}

# Writes the settings, and the program that starts and stops the broker with them.
set_up() {
    folder=$(mktemp -d "${TMPDIR:-/tmp}/csbill-rabbitmq.XXXXXX")
    # shellcheck disable=SC2046 # four words
    set -- $(free_ports)
    port=$1 names_port=$2 nodes_port=$3 tls_port=$4
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    umask 077
    mkdir "$folder/data" "$folder/log"
    : >"$folder/environment"
    echo '[].' >"$folder/plugins"
    cat >"$folder/rabbitmq.conf" <<END
listeners.tcp.1 = 127.0.0.1:$port
default_user = csbill
default_pass = $password
disk_free_limit.absolute = 1MB
log.console = false
log.file.level = info
END
    if command -v openssl >/dev/null; then
        "$(dirname "$0")/make-certificates.sh" "$folder/tls" >"$folder/tls.log" 2>&1 || {
            cat "$folder/tls.log" >&2
            return 1
        }
        cat >>"$folder/rabbitmq.conf" <<END
listeners.ssl.1 = 127.0.0.1:$tls_port
ssl_options.certfile = $folder/tls/server.pem
ssl_options.keyfile = $folder/tls/server.key
ssl_options.verify = verify_none
ssl_options.fail_if_no_peer_cert = false
END
        CSBILL_TEST_RABBITMQ_TLS="amqps://csbill@127.0.0.1:$tls_port"
        CSBILL_TEST_RABBITMQ_AUTHORITIES=$folder/tls
        export CSBILL_TEST_RABBITMQ_TLS CSBILL_TEST_RABBITMQ_AUTHORITIES
    elif [ "${CSBILL_REQUIRE_RABBITMQ:-0}" = 1 ]; then
        say "there is no openssl, which makes the certificates of tests"
        return 1
    else
        say "SKIPPED: tests of TLS, since there is no openssl"
    fi
    cat >"$folder/control" <<END
#!/bin/sh
# stop | kill | start | ctl ARGUMENT…
set -eu
export HOME='$folder' PATH='$prefix/bin:$prefix/usr/lib/erlang/bin:$PATH'
export ERL_EPMD_PORT='$names_port' ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_CONF_ENV_FILE='$folder/environment' RABBITMQ_CONFIG_FILE='$folder/rabbitmq.conf'
export RABBITMQ_NODENAME='csbill-$port@localhost' RABBITMQ_DIST_PORT='$nodes_port'
export RABBITMQ_MNESIA_BASE='$folder/data' RABBITMQ_LOG_BASE='$folder/log'
export RABBITMQ_ENABLED_PLUGINS_FILE='$folder/plugins' RABBITMQ_GENERATED_CONFIG_DIR='$folder/data'
# this makes the script become the broker, so that its id is known
export RABBITMQ_ALLOW_INPUT=1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-noinput -kernel inet_dist_use_interface {127,0,0,1}'
started() { cat '$folder'/log/*.log 2>/dev/null | grep -c 'Server startup complete' || :; }
ended() {
    tries=0
    while kill -0 "\$1" 2>/dev/null; do
        tries=\$((tries + 1))
        [ "\$tries" -lt 600 ] || kill -KILL "\$1"
        sleep 0.1
    done
}
case \$1 in
ctl)
    shift
    '$prefix/usr/lib/rabbitmq/bin/rabbitmqctl' --quiet "\$@"
    ;;
stop)
    kill -TERM "\$(cat '$folder/pid')"
    ended "\$(cat '$folder/pid')"
    ;;
kill)
    kill -KILL "\$(cat '$folder/pid')"
    ended "\$(cat '$folder/pid')"
    ;;
start)
    before=\$(started)
    '$prefix/usr/lib/rabbitmq/bin/rabbitmq-server' </dev/null >>'$folder/console' 2>&1 &
    echo \$! >'$folder/pid'
    # it may take long on a busy machine
    tries=0
    until [ "\$(started)" -gt "\$before" ]; do
        tries=\$((tries + 1))
        if [ "\$tries" -gt 600 ] || ! kill -0 "\$(cat '$folder/pid')" 2>/dev/null; then
            cat '$folder/console' '$folder'/log/*.log >&2
            exit 1
        fi
        sleep 0.2
    done
    ;;
esac
END
    chmod +x "$folder/control"
}

start_server() {
    set_up || return 1
    # the broker's nodes find each other by it; started here, so that it can be ended here
    names=$(echo "$prefix"/usr/lib/erlang/erts-*/bin/epmd)
    "$names" -address 127.0.0.1 -port "$names_port" >"$folder/epmd.log" 2>&1 &
    names_pid=$!
    "$folder/control" start || return 1
    CSBILL_TEST_RABBITMQ="amqp://csbill@127.0.0.1:$port"
    CSBILL_TEST_RABBITMQ_PASSWORD=$password
    CSBILL_TEST_RABBITMQ_CONTROL="$folder/control"
    export CSBILL_TEST_RABBITMQ CSBILL_TEST_RABBITMQ_PASSWORD CSBILL_TEST_RABBITMQ_CONTROL
}

stop_server() {
    [ ! -s "${folder:-}/pid" ] || "$folder/control" stop 2>/dev/null || :
    [ -z "${names_pid:-}" ] || { kill "$names_pid" 2>/dev/null && wait "$names_pid" 2>/dev/null || :; }
    [ -z "${folder:-}" ] || rm -rf "$folder"
}
trap stop_server EXIT
trap 'exit 130' INT TERM

skipped=
if ! { find_server || unpack_server; }; then
    skipped="there is no RabbitMQ and it could not be unpacked"
elif ! start_server; then
    skipped="RabbitMQ did not start"
fi
if [ -n "$skipped" ]; then
    if [ "${CSBILL_REQUIRE_RABBITMQ:-0}" = 1 ]; then
        say "$skipped"
        exit 1
    fi
    say "SKIPPED: all tests of RabbitMQ, since $skipped; install rabbitmq-server to run them"
    unset CSBILL_TEST_RABBITMQ CSBILL_TEST_RABBITMQ_PASSWORD CSBILL_TEST_RABBITMQ_CONTROL CSBILL_TEST_RABBITMQ_TLS
fi
status=0
"$@" || status=$?
[ -z "$skipped" ] || say "SKIPPED: all tests of RabbitMQ (see above)"
exit "$status"
