"""An authority of our own, and the certificates that a test needs: good ones and those that must be refused.

Rule: each is a pair of files, x.crt and x.key (PEM), beside x.crt.der and x.key.der; all made anew in a folder
for one test run, on the curve P-256 because that is quick.
"""
import datetime
import ipaddress

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
except ImportError:
    x509 = None
else:
    CA_USAGE = x509.KeyUsage(False, False, False, False, False, key_cert_sign=True, crl_sign=True,
                             encipher_only=False, decipher_only=False)

DAY = datetime.timedelta(days=1)


def unavailable():
    """None, or why no certificate can be made."""
    return None if x509 else "certificates: cryptography is not installed"


class Authority:
    """`Authority(folder).issue("server", "localhost", "127.0.0.1")`, and the files are in the folder."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(f"the authority {name}")
        self.certificate = self._sign(self._subject, self._key, [], ca=True, begin=-2, end=2)
        self._save(name, self.certificate, self._key)

    def issue(self, name, *hosts, begin=-1, end=1):
        """A certificate for these host names and addresses, valid from `begin` to `end` days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._save(name, self._sign(_name(name), key, hosts, False, begin, end), key)

    def _sign(self, subject, key, hosts, ca, begin, end):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(self._subject, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now + begin * DAY).not_valid_after(now + end * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
        ours, theirs = key.public_key(), self._key.public_key()  # CPython 3.13 demands what follows
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(ours), False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(theirs), False)
        if ca:
            builder = builder.add_extension(CA_USAGE, critical=True)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), False)
        return builder.sign(self._key, hashes.SHA256())

    def _save(self, name, certificate, key):
        for encoding, end in ((serialization.Encoding.PEM, ""), (serialization.Encoding.DER, ".der")):
            private = key.private_bytes(
                encoding, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
            (self.folder / f"{name}.crt{end}").write_bytes(certificate.public_bytes(encoding))
            (self.folder / f"{name}.key{end}").write_bytes(private)


def _name(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
