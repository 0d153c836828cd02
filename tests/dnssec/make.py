#!/usr/bin/env python3
"""Makes anchor.txt, names.txt and answers.txt: signed zones as real software serves and judges them.

Run as root on Debian 12 after
    apt install ldnsutils bind9 bind9-utils knot knot-dnssecutils nsd unbound unbound-host
in a network namespace of its own (the servers listen on 127.53.0.x):
    unshare -n sh -c 'ip link set lo up; ip address add 127.53.0.2/8 dev lo; ./make.py'

Zones are signed by ldns-signzone, dnssec-signzone and kzonesign, broken where the table says so, and
served by nsd, BIND and Knot DNS. names.txt is what unbound-host, with the root's key as its anchor
and its clock at NOW, thinks of each name. answers.txt is what an unbound without validator hands
out for the names, and for DS and DNSKEY of the zones above them; the tests replay that.
"""

import base64
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

NOW, START, END = "20260601000000", "20260101000000", "20270101000000"
HERE = os.path.dirname(os.path.abspath(__file__))
NSD, BIND, KNOT, PLAIN = "127.53.0.1", "127.53.0.2", "127.53.0.3", "127.53.0.9"
TYPES = {"A": 1, "CNAME": 5, "MX": 15, "AAAA": 28, "DS": 43, "DNSKEY": 48, "TLSA": 52}
LDNS = {8: "RSASHA256", 10: "RSASHA512", 13: "ECDSAP256SHA256", 14: "ECDSAP384SHA384",
        15: "ED25519", 5: "RSASHA1", 7: "RSASHA1-NSEC3-SHA1", 16: "ED448"}

# name, signer, algorithm, denial ("nsec", "nsec3", "optout", or iterations), what is broken.
ZONES = [
    (".", "ldns", 13, "nsec", ""),
    ("test", "ldns", 8, "nsec3", ""),
    ("opt", "bind", 13, "optout", ""),
    ("l8.test", "ldns", 8, "nsec", ""),
    ("l10.test", "ldns", 10, "nsec3", ""),
    ("l13.test", "ldns", 13, "nsec", ""),
    ("l14.test", "ldns", 14, "nsec3", ""),
    ("l15.opt", "ldns", 15, "nsec", ""),
    ("b8.opt", "bind", 8, "nsec3", ""),
    ("b10.test", "bind", 10, "nsec", ""),
    ("b13.test", "bind", 13, "optout", ""),
    ("b14.test", "bind", 14, "nsec", ""),
    ("b15.test", "bind", 15, "nsec3", ""),
    ("k8.test", "knot", 8, "nsec3", ""),
    ("k13.test", "knot", 13, "nsec", ""),
    ("k14.opt", "knot", 14, "optout", ""),
    ("k15.test", "knot", 15, "nsec3", ""),
    ("sub.l13.test", "bind", 13, "nsec3", ""),
    ("deep.er.b15.test", "ldns", 13, "nsec", ""),
    ("sha1.test", "ldns", 7, "nsec3", ""),
    ("ed448.test", "bind", 16, "nsec", ""),
    ("ten.test", "bind", 13, "10", ""),
    ("many.test", "ldns", 13, "500", ""),
    ("unsigned.test", "", 0, "", ""),
    ("unsigned.opt", "", 0, "", ""),
    ("below.unsigned.test", "ldns", 13, "nsec", "nods"),
    ("island.test", "bind", 13, "nsec", "nods"),
    ("expired.test", "ldns", 13, "nsec", "expired"),
    ("future.test", "bind", 13, "nsec3", "future"),
    ("otherkey.test", "bind", 13, "nsec", "otherds"),
    ("stripped.test", "ldns", 13, "nsec", "stripped"),
    ("nokeys.test", "ldns", 13, "nsec", "nokeys"),
    ("halfway.test", "bind", 13, "nsec", "norrsig"),
    ("forged.test", "ldns", 13, "nsec3", "forged"),
    ("undenied.test", "ldns", 13, "nsec", "nodenial"),
    ("undenied3.test", "ldns", 13, "nsec3", "nodenial"),
    ("oddds.test", "ldns", 13, "nsec", "oddds"),
    ("sha1ds.test", "ldns", 13, "nsec", "sha1ds"),
    ("twods.test", "ldns", 13, "nsec3", "twods"),
]
NAMES = ["@ MX", "a A", "a AAAA", "_25._tcp.mx TLSA", "nope A", "x.nope MX", "some.wild A",
         "some.wild MX", "ent A", "alias A", "away A", "x.dn A", "a.dn A", "a.dn2 A", "mx.dn2 MX",
         "_25._tcp.a TLSA"]


def body(name):
    """Records of a zone, names relative to it. `b13.test` is where aliases lead to."""
    if name == ".":
        return ""
    return """
@ MX 10 mx
a A 192.0.2.1
mx A 192.0.2.2
mx AAAA 2001:db8::2
_25._tcp.mx TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
*.wild A 192.0.2.3
host.ent A 192.0.2.4
alias CNAME a
away CNAME a.k13.test.
dn DNAME b13.test.
dn2 DNAME dn
"""


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def fqdn(name):
    return "." if name == "." else name + "."


def server(signer):
    return {"ldns": NSD, "bind": BIND, "knot": KNOT, "": NSD}[signer]


def parent(name):
    """The closest zone of the table above a zone."""
    while name != ".":
        name = name.partition(".")[2] or "."
        if any(zone[0] == name for zone in ZONES):
            return name
    return None


def build(work, zone, extra):
    """Writes and signs one zone; gives its DS records."""
    name, signer, algorithm, denial, broken = zone
    origin = fqdn(name)
    file = f"{work}/{name}.zone".replace("/..", "/root.")
    ns = "ns" if name == "." else "ns." + name
    with open(file, "w") as out:
        out.write(f"$ORIGIN {origin}\n$TTL 3600\n@ SOA {ns}. h. 1 3600 600 86400 300\n"
                  f"@ NS {ns}.\n{ns}. A {server(signer)}\n{body(name)}{extra}")
    if not signer:
        os.rename(file, file + ".signed")
        return []
    start, end = {"expired": ("20250101000000", "20260101000000"),
                  "future": ("20260901000000", END)}.get(broken, (START, END))
    rsa = ["-b", "1024"] if algorithm in (5, 7, 8, 10) else []
    nsec3 = [] if denial == "nsec" else {"nsec3": ["0"], "optout": ["0"]}.get(denial, [denial])
    if signer == "ldns":
        keys = [run("ldns-keygen", "-a", LDNS[algorithm], *rsa, *flag, name, cwd=work).strip()
                for flag in (["-k"], [])]
        options = ["-n", "-t", nsec3[0]] if nsec3 else []
        run("ldns-signzone", "-i", start, "-e", end, *options, "-f", file + ".signed", file, *keys,
            cwd=work)
        ds = run("ldns-key2ds", "-n", "-2", keys[0] + ".key", cwd=work)
        if broken in ("sha1ds", "twods"):
            sha1 = run("ldns-key2ds", "-n", "-1", keys[0] + ".key", cwd=work)
            ds = sha1 if broken == "sha1ds" else ds + sha1
    elif signer == "bind":
        keys = [run("dnssec-keygen", "-a", LDNS[algorithm], *rsa, *flag, name, cwd=work).strip()
                for flag in (["-f", "KSK"], [])]
        with open(file, "a") as out:
            for key in keys:
                out.write(f"$INCLUDE {work}/{key}.key\n")
        options = ["-3", "-", "-H", nsec3[0]] if nsec3 else []
        options += ["-A"] if denial == "optout" else []
        run("dnssec-signzone", "-O", "full", "-x", "-s", start, "-e", end, *options, "-o", origin, "-f",
            file + ".signed", "-k", keys[0], file, keys[1], cwd=work)
        ds = run("dnssec-dsfromkey", "-2", keys[0], cwd=work)
    else:
        conf = f"{work}/{name}.conf"
        os.mkdir(f"{work}/{name}.db")
        with open(conf, "w") as out:
            out.write(f"""
server:
    rundir: {work}
database:
    storage: {work}/{name}.db
policy:
  - id: p
    manual: on
    algorithm: {LDNS[algorithm].lower()}
    single-type-signing: on
    rrsig-lifetime: 200d
    nsec3: {"on" if nsec3 else "off"}
    nsec3-iterations: 0
    nsec3-salt-length: 0
    nsec3-opt-out: {"on" if denial == "optout" else "off"}
zone:
  - domain: {name}
    storage: {work}
    file: {os.path.basename(file)}
    dnssec-signing: on
    dnssec-policy: p
""")
        size = ["size=1024"] if rsa else []
        run("keymgr", "-c", conf, name, "generate", f"algorithm={LDNS[algorithm].lower()}", *size, "ksk=yes",
            "zsk=yes", f"created={START}", f"publish={START}", f"ready={START}", f"active={START}")
        os.mkdir(f"{work}/{name}.out")
        run("kzonesign", "-c", conf, "-o", f"{work}/{name}.out", "-t", "1778803200", name)
        found, = os.listdir(f"{work}/{name}.out")
        shutil.move(f"{work}/{name}.out/{found}", file + ".signed")
        ds = "\n".join(line for line in run("keymgr", "-c", conf, name, "ds").splitlines()
                       if line.split()[4:5] == ["2"] or " 2 " in line)
        ds = re.sub(r"^(\S+) DS", r"\1 IN DS", ds, flags=re.M)
    damage(file + ".signed", broken, origin)
    if broken == "otherds":
        ds = re.sub(r"(\S{8})\s*$", lambda found: found[1][::-1], ds)
    if broken == "oddds":
        ds = re.sub(r"DS\s+(\d+) 13 2", r"DS \1 201 2", re.sub(r"\s+", " ", ds))
    return [] if broken == "nods" else [line for line in ds.splitlines() if line.strip()]


def damage(file, broken, origin):
    """Takes out or changes records of a signed zone."""
    lines = []
    for line in open(file).read().splitlines():
        is_sig = re.search(r"\sRRSIG\s", line)
        if broken == "stripped" and (is_sig or re.search(r"\s(NSEC|DNSKEY)\s", line)):
            continue
        if broken == "nokeys" and re.search(r"\s(RRSIG\s+)?DNSKEY\s", line):
            continue
        if broken == "norrsig" and re.search(r"\sRRSIG\s+(A|MX|TLSA|CNAME)\s", line):
            continue
        if broken == "nodenial" and re.search(r"\s(RRSIG\s+)?NSEC3?\s", line):
            continue
        if broken == "forged":
            line = re.sub(r"(\sA\s+192\.0\.2\.)\d", r"\g<1>99", line)
            line = re.sub(r"\smx\.forged\.test\.$", " evil.forged.test.", line)
        lines.append(line)
    open(file, "w").write("\n".join(lines) + "\n")


def serve(work):
    """Starts the three name servers and the resolver."""
    signed = [(fqdn(zone[0]), f"{work}/{zone[0]}.zone.signed".replace("/..", "/root."),
               server(zone[1])) for zone in ZONES]
    mine = lambda address: [zone for zone in signed if zone[2] == address]
    with open(f"{work}/nsd.conf", "w") as out:
        out.write(f"""server:
 ip-address: {NSD}
 username: ""
 pidfile: ""
 database: ""
 zonelistfile: "{work}/nsd.list"
 xfrdfile: "{work}/xfrd"
 xfrdir: "{work}"
 logfile: "{work}/nsd.log"
 server-count: 1
 rrl-ratelimit: 0
remote-control:
 control-enable: no
""" + "".join(f'zone:\n name: "{name}"\n zonefile: "{file}"\n' for name, file, _ in mine(NSD)))
    with open(f"{work}/named.conf", "w") as out:
        out.write(f'options {{ directory "{work}"; listen-on {{ {BIND}; }}; listen-on-v6 {{ none; }};'
                  f' recursion no; pid-file none; session-keyfile none; dnssec-validation no; }};\n'
                  + "controls { };\n" + "".join(
            f'zone "{name}" {{ type primary; file "{file}"; check-integrity no; }};\n'
            for name, file, _ in mine(BIND)))
    with open(f"{work}/knot.conf", "w") as out:
        out.write(f"server:\n  listen: {KNOT}@53\n  rundir: {work}\n  user: root\n"
                  f"database:\n  storage: {work}/served.db\nzone:\n" + "".join(
            f"  - domain: {name}\n    file: {file}\n    semantic-checks: off\n"
            for name, file, _ in mine(KNOT)))
    os.mkdir(f"{work}/served.db")
    with open(f"{work}/hints", "w") as out:
        out.write(f". 3600 IN NS ns.\nns. 3600 IN A {NSD}\n")
    common = f"""server:
 interface: {PLAIN}
 directory: "{work}"
 chroot: ""
 username: ""
 pidfile: ""
 use-syslog: no
 logfile: "{work}/unbound.log"
 root-hints: "{work}/hints"
 do-not-query-localhost: no
 qname-minimisation: no
 minimal-responses: yes
 local-zone: "test." nodefault
 do-ip6: no
"""
    with open(f"{work}/plain.conf", "w") as out:
        out.write(common + ' module-config: "iterator"\nremote-control:\n control-enable: no\n')
    with open(f"{work}/validating.conf", "w") as out:
        out.write(common + f' trust-anchor-file: "{HERE}/anchor.txt"\n'
                  f' val-override-date: "{NOW}"\n')
    return [subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL,
                             stderr=open(f"{work}/stderr", "a")) for command in (
        ["nsd", "-d", "-c", "nsd.conf"], ["named", "-f", "-c", f"{work}/named.conf"],
        ["knotd", "-c", "knot.conf"], ["unbound", "-d", "-c", "plain.conf"])]


def ask(name, record):
    """Asks the resolver over TCP as the program does: RD, AD, CD, and DO in EDNS."""
    labels = [label.encode() for label in name.split(".") if label]
    qname = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    query = struct.pack("!6H", 0, 0x0130, 1, 0, 0, 1) + qname + struct.pack("!2H", TYPES[record], 1)
    query += b"\0" + struct.pack("!HHIH", 41, 1232, 0x8000, 0)
    with socket.create_connection((PLAIN, 53), timeout=10) as connection:
        connection.sendall(struct.pack("!H", len(query)) + query)
        stream = connection.makefile("rb")
        length, = struct.unpack("!H", stream.read(2))
        return stream.read(length)


def judge(work, name, record):
    text = run("unbound-host", "-C", f"{work}/validating.conf", "-v", "-t", record, name)
    verdicts = re.findall(r"\((secure|insecure|BOGUS)\b", text)
    if "SERVFAIL" in text or not verdicts:
        sys.exit(f"unbound on {name} {record}: {text}")
    order = ["BOGUS", "insecure", "secure"]
    return min(verdicts, key=order.index).lower()


def main():
    work = tempfile.mkdtemp(prefix="dnssec")
    delegations = {}
    for zone in sorted(ZONES, key=lambda zone: -len(zone[0].strip(".").split(".")) * (zone[0] != ".")):
        name, signer = zone[:2]
        ds = build(work, zone, delegations.pop(name, ""))
        if name == ".":
            open(f"{HERE}/anchor.txt", "w").write("\n".join(ds) + "\n")
            continue
        above = f"{name}. NS ns.{name}.\nns.{name}. A {server(signer)}\n" + "\n".join(ds) + "\n"
        delegations[parent(name)] = delegations.get(parent(name), "") + above
    servers = serve(work)
    try:
        time.sleep(3)
        names = [(line.split()[0].replace("@", zone[0]) if line[0] == "@" else
                  f"{line.split()[0]}.{zone[0]}", line.split()[1])
                 for zone in ZONES if zone[0] not in (".", "test", "opt") for line in NAMES]
        names += [("nothere", "A"), ("nothere.test", "A"), ("nothere.opt", "A"), ("test", "A"),
                  ("opt", "MX"), ("er.b15.test", "A"), ("x.nothere.opt", "TLSA")]
        with open(f"{HERE}/names.txt", "w") as out:
            for name, record in names:
                out.write(f"{name} {record} {judge(work, name, record)}\n")
        questions = dict.fromkeys(names)
        above = {".", "er.b15.test"} | {zone[0] for zone in ZONES}
        # Records that lost their signatures make the program look for zones below.
        above |= {name for name, _ in names if name.endswith((".halfway.test", ".unsigned.opt"))}
        for name in above:
            questions[name, "DS"] = questions[name, "DNSKEY"] = None
        with open(f"{HERE}/answers.txt", "w") as out:
            for name, record in sorted(questions):
                answer = base64.b64encode(ask(name, record)).decode().rstrip("=")
                out.write(f"{name} {record} {answer}\n")
    finally:
        for process in servers:
            process.terminate()
            process.wait()
    shutil.rmtree(work)


main()
