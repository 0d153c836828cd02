"""An SMTP server on OpenSSL, whose handshakes are recorded by the example `record`.

Usage: server.py VERSION CURVE KEY CONNECTIONS, such as server.py 1.3 X25519 rsa:2048 1.
Prints its port, serves that many connections and leaves.
"""

import socket
import ssl
import subprocess
import sys
import tempfile

version, curve, key, connections = sys.argv[1:]
with tempfile.NamedTemporaryFile() as pem:
    make = "openssl req -x509 -nodes -batch -days 36500 -subj /CN=mx.example.org -keyout - -out -"
    kind = ["-newkey", key] if ":" in key else ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{key}"]
    pem.write(subprocess.run(make.split() + kind, capture_output=True, check=True).stdout)
    pem.flush()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem.name)
context.minimum_version = context.maximum_version = {
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}[version]
context.set_ecdh_curve(curve)

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], ssl.OPENSSL_VERSION, flush=True)
for _ in range(int(connections)):
    stream, _ = listener.accept()
    stream.sendall(b"220 mx.example.org ESMTP\r\n")
    while command := stream.recv(1000):
        if command == b"STARTTLS\r\n":
            stream.sendall(b"220 go ahead\r\n")
            stream = context.wrap_socket(stream, server_side=True)
        elif command == b"QUIT\r\n":
            stream.sendall(b"221 bye\r\n")
            break
        else:
            stream.sendall(b"250-mx.example.org\r\n250 STARTTLS\r\n")
    try:
        stream.unwrap()
    except OSError:
        pass
    stream.close()
