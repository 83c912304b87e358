#!/usr/bin/env python3
"""PostgreSQL, MariaDB, Redis with a replica and as a cluster, OpenLDAP."""

import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import certs  # noqa: E402
import procs  # noqa: E402
import users  # noqa: E402
from harness import MARKER, Bed, digest, equal, main, payload  # noqa: E402
from procs import wait_until  # noqa: E402

TEXT = MARKER.decode()


# ---- PostgreSQL --------------------------------------------------------------------------


def serve_postgres(bed: Bed):
    """It must not run as root: keys, policy and data are the user postgres'."""
    users.own(bed, "postgres")
    bed.pair()
    users.give(bed, "postgres", "data", "run")
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    who = users.as_user("postgres")
    subprocess.run([programs + "/initdb", "-D", bed.path("data"), "-A", "trust", "-U", "test",
                    "--no-sync", "-E", "UTF8", "--locale=C"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL, extra_groups=[], **who)
    bed.serve([programs + "/postgres", "-D", bed.path("data"), "-p", bed.port,
               "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "ssl=off",
               "-c", "max_parallel_workers_per_gather=2",
               "-c", f"unix_socket_directories={bed.path('run')}"], **who)


def psql(bed, *words, name="psql"):
    where = f"host=127.0.0.1 port={bed.relay.port} user=test dbname=postgres " \
            "sslmode=disable gssencmode=disable"
    return bed.client(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", where, *words],
                      name=name).out


def test_postgresql_psql(bed):
    serve_postgres(bed)
    psql(bed, "-c", "CREATE TABLE things (id int PRIMARY KEY, text text)", name="create")
    rows = "".join(f"{number}\t{TEXT}-{number}\n" for number in range(50_000))
    path = bed.write("rows", rows)
    psql(bed, "-c", f"\\copy things FROM '{path}'", name="copy")
    got = psql(bed, "-c", "COPY (SELECT * FROM things ORDER BY id) TO STDOUT", name="out")
    equal(digest(got), digest(rows.encode()), f"the rows, {len(got)} bytes")
    got = psql(bed, "-F", "\t", "-c", "SELECT * FROM things ORDER BY id", name="select")
    equal(digest(got), digest(rows.encode()), f"the rows, {len(got)} bytes")
    bed.check_all(at_least=4)


def test_postgresql_notify_and_cancel(bed):
    """LISTEN waits in select; a cancel request is a connection of its own."""
    serve_postgres(bed)
    got = psql(bed, "-c", "LISTEN news", "-c", f"NOTIFY news, '{TEXT}'", "-c", "SELECT 1")
    equal(TEXT.encode() in got, True, f"the notification in {got}")
    sleeper = bed.start("sleeper", ["psql", "-X", "-A", "-t", f"host=127.0.0.1 "
                                    f"port={bed.relay.port} user=test dbname=postgres "
                                    "sslmode=disable gssencmode=disable",
                                    "-c", f"SELECT '{TEXT}', pg_sleep(60)"], bed.client_policy)
    wait_until(lambda: psql(bed, "-c", "SELECT count(*) FROM pg_stat_activity "
                            "WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()",
                            name="ask") == b"1\n", "the sleeper to sleep")
    sleeper.process.send_signal(2)
    equal(sleeper.wait(20), 1, "the cancelled program's exit status")
    equal("canceling statement due to user request" in sleeper.err, True, sleeper.err)
    bed.check_all(at_least=4)


def test_postgresql_pgbench(bed):
    serve_postgres(bed)
    env = {"PGHOST": "127.0.0.1", "PGPORT": str(bed.relay.port), "PGUSER": "test",
           "PGDATABASE": "postgres", "PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}
    bed.client(["pgbench", "-i", "-q", "-s", "1"], name="init", env=env)
    for mode in ("simple", "extended", "prepared"):
        out = bed.client(["pgbench", "-c", "4", "-j", "2", "-t", "50", "-M", mode],
                         name=mode, env=env).out.decode()
        equal("transactions actually processed: 200/200" in out, True, out)
    bed.check_all(at_least=13, markers=(b"pgbench_accounts", b"SELECT abalance"))


# ---- MariaDB -----------------------------------------------------------------------------


def test_mariadb(bed):
    """Started as root, it goes on as the user mysql: the key has been read by then."""
    bed.pair()
    users.open_folders(bed)
    users.give(bed, "mysql", "data", "run")
    subprocess.run(["mariadb-install-db", "--no-defaults", "--user=mysql",
                    "--datadir=" + bed.path("data"), "--skip-test-db",
                    "--auth-root-authentication-method=normal"], check=True, timeout=80,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    init = bed.write("init.sql", "CREATE USER test@'%' IDENTIFIED BY 'word';\n"
                     "GRANT ALL ON *.* TO test@'%';\n")
    bed.serve(["mariadbd", "--no-defaults", "--user=mysql", "--datadir=" + bed.path("data"),
               "--bind-address=127.0.0.1", f"--port={bed.port}", "--skip-ssl",
               "--socket=" + bed.path("run/sock"), "--pid-file=" + bed.path("run/pid"),
               "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve",
               "--init-file=" + init])
    client = ["mariadb", "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P",
              bed.relay.port, "-utest", "-pword", "-N", "-B"]
    script = "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, x TEXT);\n"
    for start in range(0, 20_000, 1000):
        script += "INSERT INTO t VALUES " + ",".join(
            f"({number},'{TEXT}-{number}')" for number in range(start, start + 1000)) + ";\n"
    with open(bed.write("script", script), "rb") as file:
        bed.client(client, name="insert", stdin=file)
    for number, more in enumerate(([], ["--quick"], ["--compress"])):
        got = bed.client([*client, *more, "-e", "SELECT * FROM t ORDER BY id", "d"],
                         name=f"select{number}").out
        want = "".join(f"{i}\t{TEXT}-{i}\n" for i in range(20_000)).encode()
        equal(digest(got), digest(want), f"the rows {more}, {len(got)} bytes")
    bed.check_all(at_least=4)


# ---- Redis -------------------------------------------------------------------------------


def peers(bed, count):
    """Programs that dial each other: ports, relays before them, and one policy for all."""
    ports = [procs.free_port() for _ in range(count)]
    relays = [bed.open_relay(port) for port in ports]
    both = bed.authority.issue("both", certs.SERVER_NAMES, "serverAuth,clientAuth")
    there = ", ".join(f"*:{port}" for port in ports + [relay.port for relay in relays])
    policy = bed.policy("peers", f"[inbound in]\nlocal = {there}\nmode = mtls\nidentity = own\n"
                        f"[outbound out]\nremote = {there}\nmode = mtls\nidentity = own\n",
                        {"own": both})
    return ports, relays, policy


def redis_server(bed, name, port, policy, *words):
    os.makedirs(bed.path(name), exist_ok=True)
    return bed.start(name, ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                            "--appendonly", "no", "--dir", bed.path(name), "--protected-mode",
                            "no", *words], policy).listens(port)


def redis_cli(bed, policy, port, *words, name="cli"):
    return bed.start(name, ["redis-cli", "-h", "127.0.0.1", "-p", port, *words],
                     policy).ok(40).out


def test_redis_replication(bed):
    """The first synchronisation comes from a forked child's fd or through the parent; later
    writes stream."""
    for diskless in ("yes", "no"):
        (first, second), relays, policy = peers(bed, 2)
        redis_server(bed, "first" + diskless, first, policy, "--repl-diskless-sync", diskless,
                     "--repl-diskless-sync-delay", "0")
        value = payload(3_000_000)
        with open(bed.write("value", value), "rb") as file:
            bed.start("set", ["redis-cli", "-h", "127.0.0.1", "-p", relays[0].port, "-x", "SET",
                              "big"], policy, stdin=file).ok()
        redis_server(bed, "second" + diskless, second, policy, "--replicaof", "127.0.0.1",
                     str(relays[0].port))
        wait_until(lambda: b"master_link_status:up" in redis_cli(
            bed, policy, relays[1].port, "INFO", "replication"), "the replica to be in step", 30)
        equal(digest(redis_cli(bed, policy, relays[1].port, "GET", "big")[:-1]), digest(value),
              "the value at the replica")
        redis_cli(bed, policy, relays[0].port, "SET", "later", TEXT)
        equal(redis_cli(bed, policy, relays[0].port, "WAIT", "1", "10000"), b"1\n", "WAIT")
        equal(redis_cli(bed, policy, relays[1].port, "GET", "later"), MARKER + b"\n", "later")
        for program in bed.programs:
            program.stop()
        for relay in relays:
            bed.check_wire(relay, allow_cut=True)


def test_redis_cluster(bed):
    """Three nodes, each announced at its relays: for clients and for the cluster's bus."""
    ports, relays, policy = peers(bed, 6)
    for node in range(3):
        redis_server(bed, f"node{node}", ports[node], policy, "--cluster-enabled", "yes",
                     "--cluster-port", str(ports[3 + node]),
                     "--cluster-announce-ip", "127.0.0.1",
                     "--cluster-announce-port", str(relays[node].port),
                     "--cluster-announce-bus-port", str(relays[3 + node].port))
    for node in range(3):
        first, last = node * 5461, (16383 if node == 2 else node * 5461 + 5460)
        redis_cli(bed, policy, relays[node].port, "CLUSTER", "ADDSLOTSRANGE", str(first),
                  str(last))
        if node > 0:
            redis_cli(bed, policy, relays[0].port, "CLUSTER", "MEET", "127.0.0.1",
                      str(relays[node].port), str(relays[3 + node].port))
    for node in range(3):
        wait_until(lambda n=node: b"cluster_state:ok" in redis_cli(
            bed, policy, relays[n].port, "CLUSTER", "INFO"), f"node {node} to be content", 40)
    for number in range(12):
        answer = redis_cli(bed, policy, relays[0].port, "-c", "SET", f"key{number}",
                           f"{TEXT}-{number}")
        equal(answer, b"OK\n", "SET")
    for number in range(12):
        answer = redis_cli(bed, policy, relays[1].port, "-c", "GET", f"key{number}")
        equal(answer, f"{TEXT}-{number}\n".encode(), "GET")
    for program in bed.programs:
        program.stop()
    for relay in relays:
        bed.check_wire(relay, allow_cut=True)


# ---- OpenLDAP ----------------------------------------------------------------------------


def test_openldap(bed):
    bed.pair()
    users.open_folders(bed)
    os.mkdir(bed.path("db"))
    config = bed.write("slapd.conf", f"""
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {bed.dir}/slapd.pid
database mdb
maxsize 104857600
suffix "dc=test"
rootdn "cn=admin,dc=test"
rootpw word
directory {bed.dir}/db
sizelimit unlimited
""")
    bed.serve(["slapd", "-d", "0", "-f", config, "-h", f"ldap://127.0.0.1:{bed.port}/"])
    where = ["-x", "-H", f"ldap://127.0.0.1:{bed.relay.port}", "-D", "cn=admin,dc=test", "-w",
             "word"]
    entries = "dn: dc=test\nobjectClass: dcObject\nobjectClass: organization\no: test\ndc: test\n"
    for number in range(500):
        entries += f"\ndn: ou={TEXT}-{number},dc=test\nobjectClass: organizationalUnit\n" \
                   f"ou: {TEXT}-{number}\ndescription: {'x' * (number + 1)}\n"
    bed.client(["ldapadd", *where, "-f", bed.write("entries", entries)], name="add")
    out = bed.client(["ldapsearch", *where, "-LLL", "-o", "ldif-wrap=no", "-b", "dc=test",
                      "objectClass=organizationalUnit", "description"], name="search").out
    lines = out.decode().split("\n")
    equal(sum(line.startswith(f"dn: ou={TEXT}-") for line in lines), 500, "entries")
    equal(sorted(len(line) for line in lines if line.startswith("description: ")),
          [14 + number for number in range(500)], "lengths of descriptions")
    bed.check_all(at_least=2)


if __name__ == "__main__":
    main(globals())
