"""Certificates made on the spot by the openssl program: a root, an issuing authority and leaves."""

import base64
import hashlib

from shell import sh

KEYS = {
    "rsa": ["-newkey", "rsa:2048"],
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
}

# The prime of Oakley group 2 (RFC 2409, 6.2): far too small, and others like it take long to find.
SMALL_PRIME = (
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
)


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

    def oddities(self):
        """Makes what few programs can use: self-signed certificates NAME.crt over NAME.key, and NAME.pem
        with parameters of Diffie-Hellman."""
        keys = {
            "rsa512": ["genrsa", "512"],
            "ed448": ["genpkey", "-algorithm", "ed448"],
            "secp256k1": ["ecparam", "-name", "secp256k1", "-genkey", "-noout"],
            "dsa": ["dsaparam", "-genkey", "-noout", "1024"],
        }
        for name, command in keys.items():
            (self.folder / f"{name}.key").write_bytes(sh("openssl", *command))
            request = ["openssl", "req", "-config", self.config, "-x509", "-new", "-days", "30", "-subj", "/CN=odd"]
            sh(*request, "-key", self.folder / f"{name}.key", "-out", self.folder / f"{name}.crt")
        for name, group in {"dh8192": "modp_8192", "ffdhe3072": "ffdhe3072"}.items():
            command = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", f"group:{group}"]
            (self.folder / f"{name}.pem").write_bytes(sh(*command))
        integers = b"\x02\x81\x81\x00" + bytes.fromhex(SMALL_PRIME) + b"\x02\x01\x02"
        body = base64.encodebytes(b"\x30\x81" + bytes([len(integers)]) + integers).decode()
        text = f"-----BEGIN DH PARAMETERS-----\n{body}-----END DH PARAMETERS-----\n"
        (self.folder / "dh1024.pem").write_text(text)

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
