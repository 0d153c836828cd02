"""Certificates made on the spot by the openssl program: a root, an issuing authority and leaves."""

import hashlib
import subprocess

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
        self.certify("root", "ec", "Interop Root", "root", "basicConstraints=critical,CA:TRUE")
        self.certify("issuer", "ec", "Interop Issuer", "root", "basicConstraints=critical,CA:TRUE,pathlen:0")
        (folder / "ca.pem").write_bytes(self.file("root", "crt").read_bytes())

    def issue(self, name, key):
        """Issues a certificate for a DNS name over a new key of this kind."""
        self.certify(name, key, name, "issuer", f"subjectAltName=DNS:{name}")
        chain = self.file(name, "crt").read_text() + self.file("issuer", "crt").read_text()
        self.file(name, "chain").write_text(chain)
        (self.folder / f"{name}.pem").write_text(self.file(name, "key").read_text() + chain)

    def certify(self, name, key, subject, issuer, *extensions):
        signer = [] if issuer == name else ["-CA", self.file(issuer, "crt"), "-CAkey", self.file(issuer, "key")]
        identifiers = ["subjectKeyIdentifier=hash"] + (["authorityKeyIdentifier=keyid"] if signer else [])
        openssl(
            "req", "-config", self.config, "-x509", "-noenc", "-days", "30", "-subj", f"/O=Interop/CN={subject}",
            *KEYS[key], *signer, "-keyout", self.file(name, "key"), "-out", self.file(name, "crt"),
            *(word for extension in (*identifiers, *extensions) for word in ("-addext", extension)),
        )

    def association(self, name, usage, selector, matching):
        """Gives TLSA record data for a name, or for the authority when the usage is DANE-TA(2)."""
        certificate = self.file("issuer" if usage == 2 else name, "crt").read_bytes()
        if selector == 0:
            data = openssl("x509", "-outform", "DER", input=certificate)
        else:
            public = openssl("x509", "-noout", "-pubkey", input=certificate)
            data = openssl("pkey", "-pubin", "-outform", "DER", input=public)
        match matching:
            case 1:
                data = hashlib.sha256(data).digest()
            case 2:
                data = hashlib.sha512(data).digest()
        return f"{usage} {selector} {matching} {data.hex()}"

    def file(self, name, kind):
        return self.folder / f"{name}.{kind}.pem"


def openssl(*arguments, input=None):
    return subprocess.run(["openssl", *arguments], input=input, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
