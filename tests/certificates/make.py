#!/usr/bin/python3
"""Makes the certificates that the judge is tested with, and records what OpenSSL says of them.

    make.py         writes chains.pem, roots.pem, openssl.txt, dane.txt and hashes.txt beside itself

Needs Python 3.9 and openssl(1) 3.0. All certificates are valid from 2020 to 2100 unless they are
meant not to be, so the set does not rot. Keys are new each time and thrown away: run this only to
add cases, and commit what it writes.
"""
import base64
import hashlib
import os
import re
import subprocess
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
WORK = tempfile.TemporaryDirectory()
NOW = 1_767_225_600                                        # 2026-01-01: when chains are verified
HOST = 'mx.example.org'


def openssl(*args, data=None, check=True):
    done = subprocess.run(('openssl',) + args, input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT if not check else subprocess.PIPE, cwd=WORK.name)
    if check and done.returncode:
        raise SystemExit('openssl %s: %s' % (' '.join(args), done.stderr.decode()))
    return done.stdout


# ------------------------------------------------------------------------------------------- DER
def tlv(tag, *parts):
    body = b''.join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, 'big')
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def seq(*parts):
    return tlv(0x30, *parts)


def integer(number):
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1, 'big', signed=True))


def oid(text):
    arcs = [int(arc) for arc in text.split('.')]
    body = bytearray()
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        group = [arc & 127]
        while arc := arc >> 7:
            group.insert(0, 128 | arc & 127)
        body += bytes(group)
    return tlv(6, bytes(body))


def bits(body, unused=0):
    return tlv(3, bytes([unused]), body)


def octets(*parts):
    return tlv(4, *parts)


TRUE, NULL = b'\1\1\xff', b'\5\0'
UTF8, PRINTABLE, T61, IA5, BMP = 0x0c, 0x13, 0x14, 0x16, 0x1e
ATTRIBUTES = {'CN': '2.5.4.3', 'O': '2.5.4.10', 'C': '2.5.4.6', 'emailAddress': '1.2.840.113549.1.9.1'}


def name(*attributes):
    """Each attribute is (type, value) or (type, value, string tag)."""
    rdns = []
    for kind, value, *tag in attributes:
        value = value.encode() if isinstance(value, str) else value
        rdns.append(tlv(0x31, seq(oid(ATTRIBUTES[kind]), tlv(tag[0] if tag else UTF8, value))))
    return seq(*rdns)


def cn(text):
    return name(('O', 'Test'), ('CN', text))


def time(text):
    return tlv(0x17, text[2:].encode()) if '1950' <= text[:4] < '2050' else tlv(0x18, text.encode())


def dns(text):
    return tlv(0x82, text.encode() if isinstance(text, str) else text)


def ip(*numbers):
    return tlv(0x87, bytes(numbers))


# ------------------------------------------------------------------------------------------ keys
SIGNATURES = {
    'sha1': '1.2.840.113549.1.1.5', 'md5': '1.2.840.113549.1.1.4', 'sha224': '1.2.840.113549.1.1.14',
    'sha256': '1.2.840.113549.1.1.11', 'sha384': '1.2.840.113549.1.1.12', 'sha512': '1.2.840.113549.1.1.13',
}
ECDSA = {'sha1': '1.2.840.10045.4.1', 'sha256': '1.2.840.10045.4.3.2', 'sha384': '1.2.840.10045.4.3.3',
         'sha512': '1.2.840.10045.4.3.4'}
HASHES = {'sha256': '2.16.840.1.101.3.4.2.1', 'sha512': '2.16.840.1.101.3.4.2.3'}


class Key:
    """A key of its own for each label: rsa2048, p256, ed25519 ..."""
    known = {}

    def __new__(cls, label, kind='p256'):
        if label not in cls.known:
            self = cls.known[label] = super().__new__(cls)
            self.kind, self.file = kind, label.replace(' ', '-') + '.key'
            options = {
                'p256': ['EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
                'p384': ['EC', '-pkeyopt', 'ec_paramgen_curve:secp384r1'],
                'p521': ['EC', '-pkeyopt', 'ec_paramgen_curve:secp521r1'],
                'explicit': ['EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-pkeyopt', 'ec_param_enc:explicit'],
                'ed25519': ['ED25519'],
                'ed448': ['ED448'],
                'rsapss': ['RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
            }.get(kind) or ['RSA', '-pkeyopt', 'rsa_keygen_bits:' + kind[3:]]
            openssl('genpkey', '-out', self.file, '-algorithm', *options)
            self.spki = openssl('pkey', '-in', self.file, '-pubout', '-outform', 'DER')
        return cls.known[label]

    def algorithm(self, digest, pss=None):
        if self.kind.startswith('ed'):
            return seq(oid({'ed25519': '1.3.101.112', 'ed448': '1.3.101.113'}[self.kind]))
        if pss is not None:
            hashed = seq(oid(HASHES[digest]), NULL)
            return seq(oid('1.2.840.113549.1.1.10'),
                       seq(tlv(0xa0, hashed), tlv(0xa1, seq(oid('1.2.840.113549.1.1.8'), hashed)), tlv(0xa2, integer(pss))))
        if self.kind.startswith('rsa'):
            return seq(oid(SIGNATURES[digest]), NULL)
        return seq(oid(ECDSA[digest]))

    def sign(self, data, digest, pss=None):
        with open(WORK.name + '/data', 'wb') as file:
            file.write(data)
        if self.kind.startswith('ed'):
            return openssl('pkeyutl', '-sign', '-rawin', '-inkey', self.file, '-in', 'data')
        options = [] if pss is None else ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:%d' % pss]
        return openssl('dgst', '-' + digest, '-sign', self.file, *options, 'data')


# ---------------------------------------------------------------------------------- certificates
def extension(number, body, critical=None):
    return seq(oid(number), critical or b'', octets(body))


def basic(ca, path_length=None, critical=TRUE, flag=TRUE):
    length = b'' if path_length is None else integer(path_length)
    return extension('2.5.29.19', seq(flag if ca else b'', length), critical)


def usage(value):
    unused = (value & -value).bit_length() - 1 if value else 0
    return extension('2.5.29.15', bits(bytes([value]), unused), TRUE)


def purposes(*numbers):
    return extension('2.5.29.37', seq(*[oid(number) for number in numbers]))


def names(*general):
    return extension('2.5.29.17', seq(*general))


def subject_key(key):
    return extension('2.5.29.14', octets(key_id(key)))


def authority_key(key):
    return extension('2.5.29.35', seq(tlv(0x80, key_id(key))))


def key_id(key):
    return hashlib.sha1(key.spki).digest()


def constraints(permitted=(), excluded=()):
    trees = [tlv(0xa0 + i, *[seq(one) for one in list_]) for i, list_ in enumerate((permitted, excluded)) if list_]
    return extension('2.5.29.30', seq(*trees), TRUE)


SERVER, CLIENT = '1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'
SERIAL = iter(range(0x1000, 0x10000))


class Certificate:
    def __init__(self, subject, key, issuer=None, issuer_name=None, signer=None, extensions=None, version=3,
                 begin='20200101000000Z', end='21000101000000Z', digest='sha256', pss=None, serial=None,
                 corrupt=False, outer=None, trailing=b'', ca=False, san=None, path_length=None, raw_time=None):
        self.subject, self.key = subject, key
        signer = signer or (issuer.key if issuer else key)
        algorithm = signer.algorithm(digest, pss)
        if extensions is None:
            extensions = [basic(ca, path_length), usage(0x06 if ca else 0x80), subject_key(key), authority_key(signer)]
            extensions += [] if ca else [purposes(SERVER, CLIENT), names(*(san or [dns(HOST)]))]
        fields = [tlv(0xa0, integer(version - 1))] if version > 1 else []
        fields += [tlv(2, serial) if serial is not None else integer(next(SERIAL)), algorithm,
                   issuer_name or (issuer.subject if issuer else subject), seq(*(raw_time or (time(begin), time(end)))),
                   subject, key.spki]
        if extensions:
            fields.append(tlv(0xa3, seq(*extensions)))
        tbs = seq(*fields)
        signature = signer.sign(tbs, digest, pss)
        if corrupt:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        self.der = seq(tbs, outer or algorithm, bits(signature)) + trailing

    def pem(self):
        text = base64.b64encode(self.der).decode()
        lines = '\n'.join(text[i:i + 64] for i in range(0, len(text), 64))
        return '-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n' % lines


CASES = {}


def case(label, about, *chain, trust=None):
    CASES[label] = (about, chain, trust)


def authority(label, issuer=None, kind='p256', **options):
    return Certificate(cn(label), Key(label, kind), issuer, ca=True, **options)


def server(issuer, label='server', kind='p256', subject=None, **options):
    return Certificate(subject or cn(HOST), Key(label, kind), issuer, **options)


def build():
    root = authority('Root')
    middle = authority('Intermediate', root)
    case('good', 'leaf and intermediate', server(middle), middle)
    case('direct', 'issued by the root', server(root))

    # Kinds of keys and signatures.
    for kind, digest in [('rsa2048', 'sha256'), ('rsa3072', 'sha384'), ('rsa4096', 'sha512'), ('p256', 'sha512'), ('p384', 'sha384'),
                         ('p521', 'sha512'), ('ed25519', 'sha256'), ('rsa1024', 'sha256')]:
        up = authority('Intermediate ' + kind, root, kind)
        case('key-' + kind, 'leaf and intermediate with such keys', server(up, 'server ' + kind, kind, digest=digest), up)
    rsa = authority('Intermediate rsa2048', root, 'rsa2048')
    case('key-rsa512', 'a key of 512 bits', server(middle, 'server rsa512', 'rsa512'), middle)
    case('key-rsa960', 'a key of 960 bits, still 80 bits strong for OpenSSL', server(middle, 'server rsa960', 'rsa960'), middle)
    case('key-rsa896', 'a key of 896 bits', server(middle, 'server rsa896', 'rsa896'), middle)
    case('key-rsapss', 'a key for RSA-PSS only', server(middle, 'server rsapss', 'rsapss'), middle)
    small = authority('Intermediate rsa768', root, 'rsa768')
    case('key-small-ca', 'a CA with a key of 768 bits', server(small), small)
    ed448 = authority('Intermediate ed448', root, 'ed448')
    case('key-explicit', 'a curve that is spelled out', server(middle, 'server explicit', 'explicit'), middle)
    for digest in ('md5', 'sha1', 'sha224'):
        case('signed-' + digest, 'leaf signed with it', server(rsa, digest=digest), rsa)
    case('signed-ecdsa-sha1', 'leaf signed with it', server(middle, digest='sha1'), middle)
    case('signed-pss', 'RSA-PSS with a salt of 32', server(rsa, pss=32), rsa)
    case('signed-pss-salt', 'RSA-PSS with a salt of 20', server(rsa, pss=20), rsa)
    case('signed-pss-512', 'RSA-PSS with SHA-512', server(rsa, pss=64, digest='sha512'), rsa)
    weak = authority('Intermediate rsa1024', root, 'rsa1024')
    case('signed-pss-1024', 'RSA-PSS by a key of 1024 bits', server(weak, pss=32), weak)
    case('signed-badly-pss', 'wrong RSA-PSS signature by a key of 1024 bits', server(weak, pss=32, corrupt=True), weak)
    odd = authority('Intermediate rsa1025', root, 'rsa1025')
    case('signed-pss-1025', 'RSA-PSS by a key of 1025 bits', server(odd, pss=20), odd)
    case('signed-sha384-1024', 'SHA-384 and a key of 1024 bits', server(weak, digest='sha384'), weak)
    case('signed-badly-sha384', 'wrong signature by it', server(weak, digest='sha384', corrupt=True), weak)
    pss = authority('Intermediate rsapss', root, 'rsapss')
    case('signed-pss-key', 'signed by a key for RSA-PSS only', server(pss, pss=32), pss)
    sha1 = authority('Intermediate by sha1', root, digest='sha1')
    case('signed-sha1-ca', 'intermediate signed with SHA-1', server(sha1), sha1)
    case('signed-badly', 'wrong signature on the leaf', server(middle, corrupt=True), middle)
    bad = authority('Intermediate', root, corrupt=True)
    case('signed-badly-ca', 'wrong signature on the intermediate', server(bad), bad)
    case('signed-by-other', 'another key of the same name', server(middle, signer=Key('stranger'), extensions=[names(dns(HOST))]), middle)

    # Validity.
    old, new = dict(end='20210101000000Z'), dict(begin='20900101000000Z')
    case('expired', 'leaf', server(middle, **old), middle)
    case('not-yet', 'leaf', server(middle, **new), middle)
    up = authority('Intermediate expired', root, **old)
    case('expired-ca', 'intermediate', server(up), up)
    up = authority('Intermediate future', root, **new)
    case('not-yet-ca', 'intermediate', server(up), up)
    old_root = authority('Root expired', **old)
    up = authority('Intermediate under expired', old_root)
    case('expired-root', 'root', server(up), up, trust=old_root)
    case('expired-all', 'leaf, intermediate and root', server(authority('I', old_root, **old), **old),
         authority('I', old_root, **old), trust=old_root)
    both = [authority('Intermediate', root, **old), middle]
    case('expired-twin', 'an expired intermediate, then a valid one of the same key', server(middle), *both)
    case('expires-now', 'the last second is now', server(middle, end='20260101000000Z'), middle)
    case('begins-now', 'the first second is now', server(middle, begin='20260101000000Z'), middle)
    bad_time = (tlv(0x17, b'2001010000Z'), time('21000101000000Z'))
    case('bad-not-before', 'no seconds', server(middle, raw_time=bad_time), middle)
    bad_time = (time('20200101000000Z'), tlv(0x17, b'491231235959+0000'))
    case('bad-not-after', 'an offset instead of Z', server(middle, raw_time=bad_time), middle)

    # Names.
    for label, san in [
        ('wildcard', [dns('*.example.org')]), ('wildcard-deep', [dns('*.mx.example.org')]), ('wildcard-top', [dns('*.org')]),
        ('wildcard-part', [dns('m*.example.org')]), ('wildcard-middle', [dns('mx.*.org')]), ('wildcard-all', [dns('*')]),
        ('name-upper', [dns('MX.EXAMPLE.ORG')]), ('name-other', [dns('other.example')]), ('name-dot', [dns(HOST + '.')]),
        ('name-nul', [dns(HOST + '\0.evil.example')]), ('name-after-nul', [dns('\0'), dns(HOST)]), ('name-8bit', [dns(b'\xfc'), dns(HOST)]),
        ('name-empty', [dns('')]), ('name-ip', [ip(192, 0, 2, 1), tlv(0x87, bytes.fromhex('20010db8') + bytes(11) + b'\1')]),
        ('name-ip-odd', [ip(192, 0, 2), dns(HOST)]),
        ('name-kinds', [tlv(0xa0, oid('1.2.3'), tlv(0xa0, tlv(UTF8, b'x'))), tlv(0x81, b'a@example.org'), tlv(0xa4, cn('x')),
                        tlv(0x86, b'https://example.org/'), tlv(0x88, b'\x2a\x03'), dns(HOST)]),
    ]:
        case(label, 'subjectAltName', server(middle, subject=cn('x'), san=san), middle)
    plain = [basic(False), purposes(SERVER), authority_key(middle.key)]
    case('cn-only', 'no subjectAltName', server(middle, extensions=plain), middle)
    case('cn-second', 'the second common name', server(middle, subject=name(('CN', 'x'), ('CN', HOST)), extensions=plain), middle)
    case('cn-nul', 'a NUL in it', server(middle, subject=name(('CN', HOST + '\0')), extensions=plain), middle)
    case('cn-nul-inside', 'a NUL in it', server(middle, subject=name(('CN', HOST + '\0x')), extensions=plain), middle)
    case('cn-bmp', 'as BMPString', server(middle, subject=name(('CN', HOST.encode('utf-16-be'), BMP)), extensions=plain), middle)
    case('cn-beside-email', 'only an address beside it', server(middle, extensions=plain + [names(tlv(0x81, b'a@example.org'))]), middle)
    case('cn-beside-dns', 'another dNSName beside it', server(middle, san=[dns('other.example')]), middle)
    case('no-names', 'neither', server(middle, subject=name(), extensions=plain), middle)
    case('not-utf8', 'names that are not UTF-8', server(middle, subject=name(('O', b'\xff\xfe', T61), ('CN', b'b\xfccher', T61))), middle)
    spaced = authority('Intermediate', root)
    spaced.der = spaced.der.replace(b'Intermediate', b'INTERMEDIATE')
    case('issuer-folded', 'the issuer in other letters and blanks', server(middle, issuer_name=name(('O', ' TEST '), ('CN', 'intermediate ', PRINTABLE))), middle)

    # Structure.
    case('v1', 'version 1', server(middle, version=1, extensions=[]), middle)
    case('v2-extensions', 'version 2 with extensions', server(middle, version=2), middle)
    up = Certificate(cn('Intermediate v1'), Key('Intermediate v1'), root, version=1, extensions=[])
    case('v1-ca', 'an intermediate of version 1', server(up), up)
    v1_root = Certificate(cn('Root v1'), Key('Root v1'), version=1, extensions=[])
    case('v1-root', 'a root of version 1', server(v1_root), trust=v1_root)
    case('serial-24', 'a serial of 24 octets', server(middle, serial=b'\x11' * 24), middle)
    case('serial-negative', 'a negative serial', server(middle, serial=b'\xff\x01'), middle)
    case('serial-zero', 'serial 0', server(middle, serial=b'\0'), middle)
    case('algorithms-differ', 'SHA-512 outside, SHA-256 inside', server(middle, outer=middle.key.algorithm('sha512')), middle)
    standard = [basic(False), usage(0x80), subject_key(Key('server')), authority_key(middle.key), purposes(SERVER)]
    case('boolean-ber', 'TRUE as 0x01', server(middle, extensions=[basic(False, critical=b'\1\1\1'), names(dns(HOST))]), middle)
    up = Certificate(cn('Intermediate BER'), Key('Intermediate BER'), root, extensions=[basic(True, flag=b'\1\1\1'), usage(6)])
    case('boolean-ber-ca', 'CA:TRUE as 0x01', server(up), up)
    case('extension-twice', 'basic constraints twice', server(middle, extensions=standard + [basic(False), names(dns(HOST))]), middle)
    case('extension-garbage', 'subjectAltName is garbage', server(middle, extensions=standard + [extension('2.5.29.17', b'\x30\x05\x82\x09')]), middle)
    case('extension-critical', 'an unknown one is critical', server(middle, extensions=standard + [names(dns(HOST)), extension('1.3.6.1.4.1.99999.1', NULL, TRUE)]), middle)
    case('extension-unknown', 'an unknown one', server(middle, extensions=standard + [names(dns(HOST)), extension('1.3.6.1.4.1.99999.1', NULL)]), middle)
    case('extension-ski-critical', 'the key identifier is critical', server(middle, extensions=[names(dns(HOST)), extension('2.5.29.14', octets(b'x'), TRUE)]), middle)
    proxy = extension('1.3.6.1.5.5.7.1.14', seq(seq(oid('1.3.6.1.5.5.7.21.1'))), TRUE)
    case('extension-proxy', 'a proxy certificate', server(middle, extensions=[proxy]), middle)
    case('extension-proxy-names', 'with names, which it may not have', server(middle, extensions=[proxy, names(dns(HOST))]), middle)
    case('usage-empty', 'key usage without bits', server(middle, extensions=[usage(0), names(dns(HOST))]), middle)

    # What certificates are for.
    case('ca-leaf', 'the leaf is a CA', server(middle, extensions=[basic(True), names(dns(HOST))]), middle)
    case('purpose-client', 'for TLS clients', server(middle, extensions=[purposes(CLIENT), names(dns(HOST))]), middle)
    case('purpose-any', 'for anything', server(middle, extensions=[purposes('2.5.29.37.0'), names(dns(HOST))]), middle)
    case('purpose-sgc', 'for server gated cryptography', server(middle, extensions=[purposes('2.16.840.1.113730.4.1'), names(dns(HOST))]), middle)
    case('purpose-none', 'says nothing', server(middle, extensions=[names(dns(HOST))]), middle)
    up = Certificate(cn('Intermediate client'), Key('Intermediate client'), root, extensions=[basic(True), usage(6), purposes(CLIENT)])
    case('purpose-client-ca', 'the intermediate is for clients', server(up), up)
    for label, value in [('agreement', 0x08), ('sign-only', 0x04), ('crl', 0x02)]:
        case('usage-' + label, 'key usage', server(middle, extensions=[usage(value), names(dns(HOST))]), middle)
    up = Certificate(cn('Intermediate no sign'), Key('Intermediate no sign'), root, extensions=[basic(True), usage(0x80)])
    case('usage-ca', 'an intermediate that may not sign', server(up), up)
    up = Certificate(cn('Intermediate no CA'), Key('Intermediate no CA'), root, extensions=[basic(False), usage(0x86)])
    case('not-ca', 'an intermediate that is none', server(up), up)
    up = Certificate(cn('Intermediate mute'), Key('Intermediate mute'), root, extensions=[subject_key(Key('Intermediate mute'))])
    case('mute-ca', 'an intermediate that does not say', server(up), up)
    up = Certificate(cn('Intermediate usage'), Key('Intermediate usage'), root, extensions=[usage(0x06)])
    case('usage-only-ca', 'an intermediate with key usage only', server(up), up)
    netscape = extension('2.16.840.1.113730.1.1', bits(b'\x04', 2))
    up = Certificate(cn('Intermediate Netscape'), Key('Intermediate Netscape'), root, extensions=[netscape])
    case('netscape-ca', "Netscape's type of a TLS CA", server(up), up)
    netscape = extension('2.16.840.1.113730.1.1', bits(b'\x80', 7))
    case('netscape-client', "Netscape's type of a client", server(middle, extensions=[netscape, names(dns(HOST))]), middle)
    zero = authority('Intermediate path 0', root, path_length=0)
    below = authority('Below path 0', zero)
    case('path-length-0', 'none may follow, none does', server(zero), zero)
    case('path-length', 'none may follow, one does', server(below), below, zero)
    again = Certificate(zero.subject, Key('Intermediate path 0 again'), zero, ca=True)
    case('path-length-self', 'none may follow, a self-issued one does', server(again), again, zero)
    negative = Certificate(cn('Intermediate path -1'), Key('Intermediate path -1'), root, extensions=[basic(True, -1), usage(6)])
    case('path-length-negative', 'a negative path length', server(negative), negative)

    # Who signed what.
    other_key = extension('2.5.29.35', seq(tlv(0x80, b'other')))
    case('authority-key-wrong', 'another key identifier', server(middle, extensions=[names(dns(HOST)), other_key]), middle)
    for label, wanted in [('right', root.subject), ('wrong', middle.subject)]:
        number = re.search(rb'\xa0\x03\x02\x01\x02\x02\x02(..)', middle.der, re.S).group(1)
        by_serial = extension('2.5.29.35', seq(tlv(0xa1, tlv(0xa4, wanted)), tlv(0x82, number)))
        case('authority-issuer-' + label, 'issuer and serial', server(middle, extensions=[names(dns(HOST)), by_serial]), middle)
    by_serial = extension('2.5.29.35', seq(tlv(0xa1, tlv(0xa4, root.subject)), tlv(0x82, b'\1')))
    case('authority-serial-wrong', 'another serial', server(middle, extensions=[names(dns(HOST)), by_serial]), middle)
    case('authority-key-garbage', 'garbage', server(middle, extensions=[names(dns(HOST)), extension('2.5.29.35', b'\x30\x01')]), middle)
    case('algorithm-other-key', 'RSA signature, EC issuer', server(middle, extensions=[names(dns(HOST))], signer=Key('Intermediate rsa2048')), middle)

    # Shapes of chains.
    stranger = authority('Stranger')
    case('alone', 'without the intermediate', server(middle))
    case('with-root', 'the root is sent', server(middle), middle, root)
    case('unordered', 'root, then intermediate', server(middle), root, middle)
    leaf = server(middle)
    case('doubled', 'everything twice', leaf, leaf, middle, middle, leaf)
    case('strangers', 'strangers between', server(middle), stranger, rsa, middle, stranger)
    self_signed = server(None)
    case('self-signed', 'by its own key', self_signed)
    case('self-signed-trusted', 'and trusted', self_signed, trust=self_signed)
    self_ca = Certificate(cn(HOST), Key('server'), extensions=[basic(True), names(dns(HOST))])
    case('self-signed-ca', 'and a CA', self_ca)
    case('self-signed-expired', 'and expired', server(None, **old))
    case('self-issued', 'by another key of the same name', Certificate(cn(HOST), Key('server'), signer=Key('stranger'), extensions=[names(dns(HOST)), authority_key(Key('stranger')), subject_key(Key('server'))]))
    unknown = authority('Intermediate of stranger', stranger)
    case('unknown-root', 'the root is not trusted', server(unknown), unknown)
    case('unknown-root-sent', 'nor if it is sent', server(unknown), unknown, stranger)
    mimic = Certificate(root.subject, Key('mimic'), ca=True)
    under = authority('Intermediate of mimic', mimic)
    case('mimic', 'a root with the name of a trusted one', server(under), under, mimic)
    case('mimic-leaf', 'a leaf with the name of a root', Certificate(root.subject, Key('mimic'), extensions=[names(dns(HOST))]))
    case('partial', 'the intermediate is trusted, not the root', server(unknown), unknown, trust=unknown)
    cross = Certificate(middle.subject, middle.key, stranger, ca=True)
    case('cross-first', 'signed by a stranger, then by the root', server(middle), cross, middle)
    case('cross-last', 'signed by the root, then by a stranger', server(middle), middle, cross)
    case('cross-only', 'signed by a stranger', server(middle), cross)
    up, chain = root, []
    for depth in range(1, 12):
        up = authority('Deep %d' % depth, up)
        chain.insert(0, up)
        if depth in (9, 10, 11):
            case('deep-%d' % depth, '%d intermediates' % depth, server(up), *chain)
    loop = [Certificate(cn('A'), Key('A'), issuer_name=cn('B'), signer=Key('B'), ca=True), Certificate(cn('B'), Key('B'), issuer_name=cn('A'), signer=Key('A'), ca=True)]
    case('loop', 'two intermediates sign each other', server(loop[0]), *loop)

    # Name constraints.
    directory = [name(('O', 'Test'))]
    for label, nc, options in [
        ('dns', constraints([dns('example.org')]), {}), ('dns-dot', constraints([dns('.example.org')]), {}), ('dns-other', constraints([dns('example.net')]), {}),
        ('dns-excluded', constraints(excluded=[dns('example.org')]), {}), ('dns-both', constraints([dns('example.org')], [dns('mx.example.org')]), {}),
        ('dns-cn', constraints([dns('example.net')]), dict(extensions=[basic(False)])),
        ('dns-no-host-cn', constraints([dns('example.net')]), dict(extensions=[names(ip(192, 0, 2, 1))], subject=cn('no host'))),
        ('ip', constraints([ip(192, 0, 2, 0, 255, 255, 255, 0)]), dict(san=[dns(HOST), ip(192, 0, 2, 7)])),
        ('ip-other', constraints([ip(198, 51, 100, 0, 255, 255, 255, 0)]), dict(san=[dns(HOST), ip(192, 0, 2, 7)])),
        ('ip-odd', constraints([ip(198, 51, 100)]), dict(san=[dns(HOST), ip(192, 0, 2, 7)])),
        ('directory', constraints([tlv(0xa4, *directory)]), {}), ('directory-other', constraints([tlv(0xa4, name(('O', 'Other')))]), {}),
        ('directory-excluded', constraints(excluded=[tlv(0xa4, *directory)]), {}),
        ('email', constraints([tlv(0x81, b'example.org')]), dict(san=[dns(HOST), tlv(0x81, b'a@example.org')])),
        ('email-subject', constraints([tlv(0x81, b'example.net')]), dict(subject=name(('CN', HOST), ('emailAddress', 'a@example.org', IA5)))),
        ('uri', constraints([tlv(0x86, b'.example.org')]), dict(san=[dns(HOST), tlv(0x86, b'https://mx.example.org/')])),
        ('minimum', extension('2.5.29.30', seq(tlv(0xa0, seq(dns('example.org'), tlv(0x80, b'\1')))), TRUE), {}),
        ('other-kind', constraints([tlv(0x88, b'\x2a\x03')]), dict(san=[dns(HOST), tlv(0x88, b'\x2a\x03')])),
        ('garbage', extension('2.5.29.30', b'\x30\x03\xa0\x09\x30', TRUE), {}),
    ]:
        up = Certificate(cn('Constrained ' + label), Key('Constrained'), root, extensions=[basic(True), usage(6), nc])
        case('constraint-' + label, 'name constraints', server(up, **options), up)
    return root


def write(file, text):
    with open(os.path.join(HERE, file), 'w', encoding='ascii') as out:
        out.write(text)


def ask_openssl(chain, trust):
    """Gives OpenSSL's errors as number@depth, in order, up to the one at which verify(1) stops."""
    for file, certificates in (('leaf', chain[:1]), ('sent', chain[1:]), ('trust', [trust])):
        with open('%s/%s.pem' % (WORK.name, file), 'w') as out:
            out.write(''.join(one.pem() for one in certificates))
    sent = ['-untrusted', 'sent.pem'] if chain[1:] else []
    said = openssl('verify', '-no-CApath', '-no-CAstore', '-CAfile', 'trust.pem', *sent, '-purpose', 'sslserver',
                   '-auth_level', '1', '-verify_depth', '10', '-verify_hostname', HOST, '-attime', str(NOW), 'leaf.pem', check=False).decode()
    if errors := re.findall(r'error (\d+) at (\d+) depth', said):
        return ' '.join('%s@%s' % error for error in errors)
    return 'ok' if said.strip().endswith('OK') else 'unreadable'


def ask_dane(chain, key, record):
    """Gives each step of a TLS client that has this TLSA record: depth and error, or ok."""
    with open(WORK.name + '/rest.pem', 'w') as out:
        out.write(''.join(one.pem() for one in chain[1:]))
    rest = ['-cert_chain', 'rest.pem'] if chain[1:] else []
    server = subprocess.Popen(['openssl', 's_server', '-accept', '0', '-naccept', '1', '-cert', 'leaf.pem', '-key', key.file, *rest,
                               '-cipher', 'DEFAULT@SECLEVEL=0'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.PIPE, cwd=WORK.name)
    for line in server.stdout:
        if accept := re.match(rb'ACCEPT \S+:(\d+)', line):
            break
    else:
        return 'no server'
    said = openssl('s_client', '-connect', 'localhost:' + accept.group(1).decode(), '-cipher', 'DEFAULT@SECLEVEL=1', '-verify_depth', '10',
                   '-attime', str(NOW), '-dane_tlsa_domain', HOST, '-dane_ee_no_namechecks', '-dane_tlsa_rrdata', record,
                   '-no-CApath', '-no-CAstore', '-no-CAfile', data=b'', check=False).decode(errors='replace')
    server.kill()
    server.communicate()
    steps = []
    for line in said.splitlines():
        if depth := re.match(r'depth=(\d+) ', line):
            steps.append(['ok', depth.group(1)])
        elif error := re.match(r'verify error:num=(\d+):', line):
            steps[-1][0] = error.group(1)
    return ' '.join('@'.join(step) for step in steps) or 'no handshake'


def main():
    root = build()
    write('roots.pem', root.pem())
    chains, answers, hashes, dane = '', '', '', ''
    for label, (about, chain, trust) in CASES.items():
        chains += '== %s: %s\n' % (label, about)
        if trust:
            chains += '= trusted:\n' + trust.pem() + '= sent:\n'
        chains += ''.join(one.pem() for one in chain)
        answers += '%-26s %s\n' % (label, ask_openssl(chain, trust or root))
        name_hash = openssl('x509', '-in', 'leaf.pem', '-noout', '-subject_hash', check=False).decode().strip()
        last, anchor = chain[-1], (trust or root).key.spki
        for record in ('2 1 1 ' + hashlib.sha256(last.key.spki).hexdigest(), '2 1 0 ' + anchor.hex()):
            dane += '%-30s %s  %s\n' % (label, record[:5], ask_dane(chain, chain[0].key, record))
        hashes += '%-26s %s\n' % (label, name_hash)
    write('chains.pem', chains)
    write('openssl.txt', answers)
    write('hashes.txt', hashes)
    write('dane.txt', dane)
    print('%d chains' % len(CASES))


if __name__ == '__main__':
    main()
