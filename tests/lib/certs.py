"""A throw-away certificate authority and the certificates, good and odd, of the tests."""

import datetime
import os
import shutil
import subprocess

OPENSSL = shutil.which("openssl") or "openssl"
SERVER_NAMES = "DNS:localhost,DNS:server.test,IP:127.0.0.1,IP:::1"
CLIENT_NAMES = "URI:spiffe://test/client,DNS:client.test,DNS:localhost,IP:127.0.0.1,IP:::1"


def _openssl(*arguments, stdin=None):
    done = subprocess.run([OPENSSL, *arguments], input=stdin, capture_output=True, text=True,
                          timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


class Certificate:
    """A certificate and its key, by path; the chain file holds the leaf first."""

    def __init__(self, folder, name):
        self.name = name
        self.pem = os.path.join(folder, name + ".pem")
        self.key = os.path.join(folder, name + ".key")
        self.chain = self.pem
        self._serial = None

    @property
    def serial(self):
        """Lower-case hex without leading zeros, as the audit log has it."""
        if self._serial is None:
            text = _openssl("x509", "-in", self.pem, "-noout", "-serial")
            self._serial = text.strip().split("=")[1].lower().lstrip("0")
        return self._serial


# What openssl genpkey is told for a kind of key.
KEYS = {"p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "rsa2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        "rsa4096": ["RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
        "ed25519": ["ED25519"]}
KEYS.update(ec=KEYS["p256"], rsa=KEYS["rsa2048"])


class Authority:
    """Issues certificates into a folder; each kind of key is made once."""

    def __init__(self, folder, name="ca"):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.root = Certificate(folder, name)
        self._config = os.path.join(folder, name + ".cnf")
        self._key(self.root.key, "ec")
        self._write_config("basicConstraints=critical,CA:TRUE\n"
                           "keyUsage=critical,keyCertSign,cRLSign\n"
                           "subjectKeyIdentifier=hash\n")
        _openssl("req", "-x509", "-new", "-key", self.root.key, "-out", self.root.pem,
                 "-days", "30", "-subj", f"/O=Test/CN={name}", "-config", self._config,
                 "-extensions", "ext")

    @property
    def pem(self):
        return self.root.pem

    def _key(self, path, kind):
        _openssl("genpkey", "-algorithm", *KEYS[kind], "-out", path)
        os.chmod(path, 0o600)

    def _write_config(self, extensions):
        with open(self._config, "w", encoding="ascii") as file:
            file.write("[req]\ndistinguished_name=dn\n[dn]\n[ext]\n" + extensions)

    def issue(self, name, names="", usage="serverAuth,clientAuth", key="ec", days=(-1, 10),
              signer=None, is_ca=False, extensions=""):
        """Makes NAME.pem and NAME.key.

        days: (first, last) day of validity, counted from today.
        signer: a Certificate to sign with instead of the root.
        extensions: more of them, lines of openssl's configuration.
        """
        made = Certificate(self.folder, name)
        signer = signer or self.root
        self._key(made.key, key)
        # No authority key identifier: that of a leaf signed by a leaf could not be built.
        self._write_config(
            f"basicConstraints=critical,CA:{'TRUE' if is_ca else 'FALSE'}\n"
            + ("keyUsage=critical,keyCertSign,cRLSign\n" if is_ca else
               "keyUsage=critical,digitalSignature\n")
            + (f"extendedKeyUsage={usage}\n" if usage else "")
            + (f"subjectAltName={names}\n" if names else "")
            + "subjectKeyIdentifier=hash\n" + extensions)
        request = made.pem + ".csr"
        _openssl("req", "-new", "-key", made.key, "-out", request, "-subj",
                 f"/O=Test/CN={name}", "-config", self._config)
        base = os.path.join(self.folder, name + ".db")
        os.makedirs(base, exist_ok=True)
        open(os.path.join(base, "index.txt"), "w", encoding="ascii").close()
        with open(base + ".cnf", "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={base}/index.txt\n"
                       f"new_certs_dir={base}\nrand_serial=yes\ndefault_md=sha256\n"
                       "policy=p\nunique_subject=no\n[p]\nO=optional\nCN=supplied\n")
        _openssl("ca", "-batch", "-notext", "-config", base + ".cnf", "-in", request,
                 "-out", made.pem, "-cert", signer.pem, "-keyfile", signer.key,
                 "-startdate", _day(days[0]), "-enddate", _day(days[1]),
                 "-extfile", self._config, "-extensions", "ext")
        if signer is not self.root:
            made.chain = os.path.join(self.folder, name + "-chain.pem")
            with open(made.chain, "w", encoding="ascii") as out:
                for part in (made.pem, signer.pem):
                    with open(part, encoding="ascii") as file:
                        out.write(file.read())
        return made


    def crl(self, name, revoked=(), signer=None, days=(-1, 10), extensions=""):
        """Makes NAME.crl, a list of the root or of a signer; returns its path."""
        signer = signer or self.root
        base = os.path.join(self.folder, name + ".crldb")
        os.makedirs(base)
        for file, text in (("index", ""), ("number", "01\n")):
            with open(os.path.join(base, file), "w", encoding="ascii") as out:
                out.write(text)
        config = os.path.join(base, "cnf")
        with open(config, "w", encoding="ascii") as out:
            out.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={base}/index\n"
                      f"crlnumber={base}/number\ndefault_md=sha256\ncrl_extensions=x\n"
                      "unique_subject=no\n"
                      f"[x]\nauthorityKeyIdentifier=keyid:always\n{extensions}")
        who = ["-config", config, "-cert", signer.pem, "-keyfile", signer.key]
        for certificate in revoked:
            _openssl("ca", *who, "-revoke", certificate.pem)
        path = os.path.join(self.folder, name + ".crl")
        _openssl("ca", *who, "-gencrl", "-crl_lastupdate", _day(days[0]),
                 "-crl_nextupdate", _day(days[1]), "-out", path)
        return path


def _day(offset):
    day = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=offset)
    return day.strftime("%Y%m%d%H%M%SZ")
