"""The name space of the interop servers: a private root with signed and other zones below."""

import itertools

from shell import sh

SERVER = "198.51.100.53"
LAME = "198.51.100.55"
JUNK = ["3 1 1 " + f"{number:02x}" * 32 for number in range(1, 41)]

# Zones in the order in which they are signed, since a parent needs its children's DS records.
# lame.test is delegated to a server that has no zone at all.
SIGNED = ["bogus.test", "nsec3.test", "test", "."]
SERVED = [*SIGNED, "insecure.test"]


def write(folder, hosts, authority):
    """Writes and signs all zones and the trust anchor, given the addresses of the mail hosts."""

    def addresses():
        for name, found in hosts.items():
            for address in found:
                yield f"{name}. {'AAAA' if ':' in address else 'A'} {address}"

    def tlsa(owner, certificate, *numbers):
        return f"{owner} TLSA {authority.association(certificate, *numbers)}"

    def combinations():
        """Every record that DANE knows (RFC 6698 section 2.1), and the like of another server."""
        for numbers in itertools.product((2, 3), (0, 1), (0, 1, 2)):
            label = "".join(map(str, numbers))
            for name, whose in ((f"d{label}", "postfix.test"), (f"x{label}", "stranger")):
                yield f"{name}.postfix A {postfix}"
                yield tlsa(f"_25._tcp.{name}.postfix", whose, *numbers)

    right = authority.association("postfix.test", 3, 1, 1)
    postfix = hosts["postfix.test"][0]
    text = {
        "nsec3.test": [
            "@ MX 10 mail",
            f"mail A {postfix}",
            f"_25._tcp.mail TLSA {right}",
            f"notlsa A {postfix}",
        ],
        # The address is changed after signing, see below.
        "bogus.test": [
            "@ MX 10 mail",
            "mail A 192.0.2.255",
            f"_25._tcp.mail TLSA {right}",
        ],
        "insecure.test": [
            "@ MX 10 postfix.test.",
            f"mail A {postfix}",
            f"_25._tcp.mail TLSA {right}",
        ],
        "test": [
            *addresses(),
            tlsa("_25._tcp.postfix", "postfix.test", 3, 1, 1),
            tlsa("_465._tcp.postfix", "postfix.test", 3, 1, 1),
            tlsa("_25._tcp.postfix-ec", "postfix-ec.test", 2, 1, 1),
            tlsa("_25._tcp.tls12", "tls12.test", 3, 0, 1),
            tlsa("_25._tcp.tls13", "tls13.test", 2, 0, 1),
            tlsa("_25._tcp.exim", "exim.test", 3, 1, 2),
            tlsa("_25._tcp.sendmail", "sendmail.test", 2, 0, 0),
            tlsa("_24._tcp.dovecot", "dovecot.test", 3, 1, 0),
            # MX records: plain, with a first choice that refuses connections, and null.
            "secure MX 10 postfix",
            "second MX 10 refuses",
            "second MX 20 postfix",
            "refuses A 203.0.113.1",
            "null MX 0 .",
            # TLSA records: not matching, over 1232 octets of them, not to be found.
            f"mismatch A {postfix}",
            f"_25._tcp.mismatch TLSA {JUNK[0]}",
            f"large A {postfix}",
            *(f"_25._tcp.large TLSA {data}" for data in [*JUNK, right]),
            f"nolookup A {postfix}",
            "_25._tcp.nolookup CNAME mail.lame",
            *combinations(),
            # Aliases, the second one into an unsigned zone.
            "alias CNAME postfix",
            "leaving CNAME mail.insecure",
            f"_25._tcp.leaving TLSA {right}",
            "insecure NS ns",
            "lame NS lame-ns",
            f"lame-ns A {LAME}",
        ],
        ".": ["test. NS ns.test."],
    }
    text["test"].append(f"ns A {SERVER}")
    text["."].append(f"ns.test. A {SERVER}")
    (folder / "root.hints").write_text(f". 3600000 NS ns.test.\nns.test. 3600000 A {SERVER}\n")

    def put(zone):
        lines = [
            "$TTL 300",
            "@ SOA ns.test. root.test. 1 3600 600 86400 60",
            "@ NS ns.test.",
            *text[zone],
        ]
        (folder / file(zone)).write_text(f"$ORIGIN {zone.rstrip('.')}.\n" + "\n".join(lines) + "\n")

    put("insecure.test")
    for zone in SIGNED:
        put(zone)
        key = sh("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", zone, cwd=folder).decode().strip()
        ds = (folder / f"{key}.ds").read_text()
        if zone == ".":
            (folder / "trust-anchor.ds").write_text(ds)
        else:
            text[zone.partition(".")[2] or "."].append(ds.strip())
        nsec3 = ["-n", "-s", "5AAA"] if zone == "nsec3.test" else []
        sh("ldns-signzone", *nsec3, "-f", file(zone), file(zone), key, cwd=folder)
    signed = folder / file("bogus.test")
    signed.write_text(signed.read_text().replace("192.0.2.255", postfix))


def nsd():
    """Gives the part of nsd.conf that names the zones."""
    entry = "zone:\n  name: {}\n  zonefile: {}\n"
    return "".join(entry.format(zone, file(zone)) for zone in SERVED)


def file(zone):
    return f"{zone.rstrip('.') or 'root'}.zone"
