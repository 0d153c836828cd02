"""Certificates made on the spot by the openssl program: a root, an issuing authority and leaves."""

import hashlib

from shell import sh

KEYS = {
    "rsa": ["-newkey", "rsa:2048"],
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
}


class Authority:
    """Root and issuing authority in one folder, where `ca.pem` is the root's certificate.

    For each name issued there stand in the folder NAME.key.pem, NAME.crt.pem, NAME.chain.pem (the
    certificate and the authority's) and NAME.pem (key and chain).
    """

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.config = folder / "openssl.cnf"
        self.config.write_text("[req]\ndistinguished_name = name\n[name]\n")
        ca = "basicConstraints=critical,CA:TRUE"
        self.certify("root", "ec", "Interop Root", None, ca)
        self.certify("issuer", "ec", "Interop Issuer", "root", ca + ",pathlen:0")
        # Nobody's, for records that must not match.
        self.certify("stranger", "ec", "Stranger", None, ca)
        (folder / "ca.pem").write_bytes(self.file("root", "crt").read_bytes())

    def issue(self, name, key):
        """Issues a certificate for a DNS name, and what is right below it, over a new key."""
        self.certify(name, key, name, "issuer", f"subjectAltName=DNS:{name},DNS:*.{name}")
        chain = self.file(name, "crt").read_text() + self.file("issuer", "crt").read_text()
        self.file(name, "chain").write_text(chain)
        (self.folder / f"{name}.pem").write_text(self.file(name, "key").read_text() + chain)

    def certify(self, name, key, subject, issuer, extension):
        """Makes key and certificate; without an issuer the certificate signs itself."""
        command = ["openssl", "req", "-config", self.config, "-x509", "-noenc", "-days", "30"]
        command += ["-subj", f"/O=Interop/CN={subject}", *KEYS[key]]
        command += ["-addext", "subjectKeyIdentifier=hash", "-addext", extension]
        if issuer:
            command += ["-CA", self.file(issuer, "crt"), "-CAkey", self.file(issuer, "key")]
            command += ["-addext", "authorityKeyIdentifier=keyid"]
        sh(*command, "-keyout", self.file(name, "key"), "-out", self.file(name, "crt"))

    def association(self, name, usage, selector, matching):
        """Gives TLSA record data for a name, or for the authority when the usage is DANE-TA(2)."""
        if usage == 2 and name != "stranger":
            name = "issuer"
        certificate = self.file(name, "crt")
        if selector == 0:
            data = sh("openssl", "x509", "-in", certificate, "-outform", "DER")
        else:
            public = sh("openssl", "x509", "-in", certificate, "-noout", "-pubkey")
            data = sh("openssl", "pkey", "-pubin", "-outform", "DER", input=public)
        if matching == 1:
            data = hashlib.sha256(data).digest()
        elif matching == 2:
            data = hashlib.sha512(data).digest()
        return f"{usage} {selector} {matching} {data.hex()}"

    def file(self, name, kind):
        return self.folder / f"{name}.{kind}.pem"
