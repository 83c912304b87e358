"""Certificates and revocation lists, good and odd, from a few words: DER made here, keys and
signatures by the openssl command. What no CA would issue is one argument away.

    root = authority("root")
    leaf(root)                                     good in either role
    leaf(root, san=["DNS:a.test"], days=(-5, -1))  for another name, expired

Nothing is made before it is asked for, and nothing twice: a Paper is its words, and files
are kept in the folder that use_folder() got.
"""

import base64
import concurrent.futures
import dataclasses
import datetime
import functools
import hashlib
import ipaddress
import os
import shutil
import subprocess

OPENSSL = shutil.which("openssl") or "openssl"
NAMES = ("DNS:localhost", "IP:127.0.0.1", "URI:spiffe://test/peer")
FOLDER = [None]


def use_folder(path):
    """Where keys and certificates of this run are kept."""
    FOLDER[0] = path


# ---- DER ------------------------------------------------------------------------------


def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 0x80:
        length = bytes([len(body)])
    else:
        octets = (len(body).bit_length() + 7) // 8
        length = bytes([0x80 | octets]) + len(body).to_bytes(octets, "big")
    return bytes([tag]) + length + body


def seq(*parts):
    return tlv(0x30, *parts)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(text):
    numbers = [int(word) for word in text.split(".")]
    out = b""
    for number in [numbers[0] * 40 + numbers[1], *numbers[2:]]:
        octets = [number & 0x7f]
        while number := number >> 7:
            octets.insert(0, number & 0x7f | 0x80)
        out += bytes(octets)
    return tlv(0x06, out)


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\x00")


def bits(data, unused=0):
    return tlv(0x03, bytes([unused]), data)


ATTRIBUTES = {"CN": "2.5.4.3", "O": "2.5.4.10", "OU": "2.5.4.11", "C": "2.5.4.6",
              "emailAddress": "1.2.840.113549.1.9.1"}


def name(text):
    """A distinguished name from "O=Test,CN=web", in the order of the certificate."""
    sets = [word.split("=", 1) for word in text.split(",") if word]
    return seq(*(tlv(0x31, seq(oid(ATTRIBUTES[key]), tlv(
        0x16 if key == "emailAddress" else 0x0c, value.encode()))) for key, value in sets))


def general_name(text, is_constraint=False):
    """"DNS:a.test", "IP:10.0.0.1" (in constraints "IP:10.0.0.0/8"), "URI:...", "email:...",
    "DIR:O=Test", "RAW-IP:hex"; text may hold \\0."""
    kind, _, value = text.partition(":")
    if kind == "IP" and is_constraint:
        net = ipaddress.ip_network(value)
        return tlv(0x87, net.network_address.packed, net.netmask.packed)
    if kind == "IP":
        return tlv(0x87, ipaddress.ip_address(value).packed)
    if kind == "RAW-IP":
        return tlv(0x87, bytes.fromhex(value))
    if kind == "DIR":
        return tlv(0xa4, name(value))
    return tlv({"email": 0x81, "DNS": 0x82, "URI": 0x86}[kind], value.encode("latin-1"))


# ---- extensions -----------------------------------------------------------------------

USAGES = ("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
          "keyAgreement", "keyCertSign", "cRLSign")
PURPOSES = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2",
            "code": "1.3.6.1.5.5.7.3.3", "ocsp": "1.3.6.1.5.5.7.3.9", "any": "2.5.29.37.0"}


def extension(number, value, critical=False):
    return seq(oid(number), boolean(True) if critical else b"", tlv(0x04, value))


def alternative_names(names, critical=False):
    return extension("2.5.29.17", seq(*(general_name(one) for one in names)), critical)


def key_usage(names, critical=True):
    value = sum(0x80 >> USAGES.index(one) for one in names)
    unused = (value & -value).bit_length() - 1 if value else 0
    return extension("2.5.29.15", bits(bytes([value]) if value else b"", unused), critical)


def purposes(names, critical=False):
    return extension("2.5.29.37", seq(*(oid(PURPOSES[one]) for one in names)), critical)


def basic_constraints(is_ca, path_len=None, critical=True):
    return extension("2.5.29.19", seq(boolean(True) if is_ca else b"",
                                      b"" if path_len is None else integer(path_len)), critical)


def name_constraints(permitted=(), excluded=(), critical=True):
    trees = b""
    for tag, names in ((0xa0, permitted), (0xa1, excluded)):
        if names:
            trees += tlv(tag, *(seq(general_name(one, True)) for one in names))
    return extension("2.5.29.30", seq(trees), critical)


def unknown(critical=True):
    return extension("1.3.6.1.4.1.55555.1", tlv(0x05), critical)


# ---- keys and signatures --------------------------------------------------------------

CURVES = {"p256": "P-256", "p384": "P-384", "p521": "P-521", "secp224r1": "secp224r1",
          "secp192r1": "prime192v1", "secp256k1": "secp256k1",
          "brainpool": "brainpoolP256r1"}
ECDSA = {"sha1": "1.2.840.10045.4.1", "sha224": "1.2.840.10045.4.3.1",
         "sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3",
         "sha512": "1.2.840.10045.4.3.4"}
RSA = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5",
       "sha224": "1.2.840.113549.1.1.14", "sha256": "1.2.840.113549.1.1.11",
       "sha384": "1.2.840.113549.1.1.12", "sha512": "1.2.840.113549.1.1.13"}
HASHES = {"sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2",
          "sha512": "2.16.840.1.101.3.4.2.3"}


def openssl(*words, data=None):
    done = subprocess.run([OPENSSL, *words], input=data, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(words)}: {done.stderr.decode()}")
    return done.stdout


@functools.lru_cache(None)
def key_file(kind, label):
    """The path of a private key: of one kind and label there is one a run."""
    path = os.path.join(FOLDER[0], f"{kind}-{label}.key")
    if kind.startswith("rsa"):  # rsa2048; rsapss2048 may only sign with PSS
        algorithm = "RSA-PSS" if kind.startswith("rsapss") else "RSA"
        size = kind.lstrip("rsap")
        words = ["-algorithm", algorithm, "-pkeyopt", "rsa_keygen_bits:" + size]
    elif kind in CURVES:
        words = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + CURVES[kind]]
    else:
        words = ["-algorithm", kind]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
        out.write(openssl("genpkey", *words))
    return path


@functools.lru_cache(None)
def public_key(kind, label):
    return openssl("pkey", "-in", key_file(kind, label), "-pubout", "-outform", "DER")


def key_id(kind, label):
    return hashlib.sha1(public_key(kind, label)).digest()


def _pss_parameters(digest):
    hashed = seq(oid(HASHES[digest]))
    return seq(tlv(0xa0, hashed), tlv(0xa1, seq(oid("1.2.840.113549.1.1.8"), hashed)),
               tlv(0xa2, integer(int(digest[3:]) // 8)))


def algorithm_of(kind, digest):
    """AlgorithmIdentifier of a signature; digest "pss-sha256" has an RSA key use PSS."""
    if kind in ("ed25519", "ed448"):
        return seq(oid({"ed25519": "1.3.101.112", "ed448": "1.3.101.113"}[kind]))
    if kind.startswith("rsapss") or digest.startswith("pss-"):
        return seq(oid("1.2.840.113549.1.1.10"), _pss_parameters(digest.removeprefix("pss-")))
    if kind.startswith("rsa"):
        return seq(oid(RSA[digest]), tlv(0x05))
    return seq(oid(ECDSA[digest]))


def sign(kind, label, digest, data):
    key = key_file(kind, label)
    if kind in ("ed25519", "ed448"):
        path = os.path.join(FOLDER[0], "tbs")
        with open(path, "wb") as out:
            out.write(data)
        return openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", path)
    words = ["-" + digest.removeprefix("pss-"), "-sign", key]
    if kind.startswith("rsapss") or digest.startswith("pss-"):
        words += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
    return openssl("dgst", *words, data=data)


# ---- certificates ---------------------------------------------------------------------


def _time(days):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())


@dataclasses.dataclass(frozen=True)
class Paper:
    """A certificate. None leaves an extension out.

    subject     "O=Test,CN=web"
    issuer      a Paper; None: it signs itself
    key, label  its kind of key, and which one of that kind
    days        (first, last) day of validity, counted from today; fractions are fine
    san         alternative names, see general_name()
    ca          basicConstraints: None, False or True;  path_len beside it
    usage       key usage;  eku  extended key usage, see USAGES and PURPOSES
    hash        of the issuer's signature: sha256, sha1, md5, pss-sha256
    extensions  more of them, DER
    chain       what is sent behind it: None = its issuers up to the one below the root
    signature   "good", "bad": a bit of it is wrong
    own_key     another Paper whose private key is used for it
    """
    subject: str
    issuer: "Paper | None" = None
    key: str = "p256"
    label: str = "leaf"
    days: tuple = (-1, 10)
    san: "tuple | None" = None
    ca: "bool | None" = None
    path_len: "int | None" = None
    usage: "tuple | None" = None
    eku: "tuple | None" = None
    eku_critical: bool = False
    hash: str = "sha256"
    version: int = 3
    serial: "int | None" = None
    extensions: tuple = ()
    chain: "tuple | None" = None
    signature: str = "good"
    own_key: "Paper | None" = None

    def but(self, **changes):
        """The same certificate with some things otherwise; lists become tuples."""
        changes = {key: tuple(value) if isinstance(value, list) else value
                   for key, value in changes.items()}
        return dataclasses.replace(self, **changes)

    # The words are the identity: a certificate that is asked for twice is made once.
    @property
    def number(self):
        if self.serial is not None:
            return self.serial
        text = repr(self).encode()
        return int.from_bytes(b"\x01" + hashlib.sha256(text).digest()[:11], "big")

    def _extensions(self):
        if self.version != 3:
            return b""
        parts = [extension("2.5.29.14", tlv(0x04, key_id(self.key, self.label)))]
        if self.issuer is not None:
            signer = self.issuer
            parts.append(extension("2.5.29.35", seq(
                tlv(0x80, key_id(signer.key, signer.label)))))
        if self.ca is not None:
            parts.append(basic_constraints(self.ca, self.path_len))
        if self.usage is not None:
            parts.append(key_usage(self.usage))
        if self.eku is not None:
            parts.append(purposes(self.eku, self.eku_critical))
        if self.san is not None:
            parts.append(alternative_names(self.san))
        return tlv(0xa3, seq(*parts, *self.extensions))

    @property
    def der(self):
        return _make(self)

    def make(self):
        signer = self.issuer or self
        algorithm = algorithm_of(signer.key, self.hash)
        tbs = seq(
            tlv(0xa0, integer(self.version - 1)) if self.version > 1 else b"",
            integer(self.number), algorithm, name(signer.subject),
            seq(_time(self.days[0]), _time(self.days[1])), name(self.subject),
            public_key(self.key, self.label), self._extensions())
        signature = bytearray(sign(signer.key, signer.label, self.hash, tbs))
        if self.signature == "bad":
            signature[-1] ^= 1
        return seq(tbs, algorithm, bits(bytes(signature)))

    @property
    def hex_serial(self):
        return f"{self.number:x}"

    @property
    def key_path(self):
        owner = self.own_key or self
        return key_file(owner.key, owner.label)

    @property
    def public_key(self):
        """DER, of the certificate's own key."""
        return public_key(self.key, self.label)

    def sent(self):
        """The certificates that its owner shows."""
        if self.chain is not None:
            return [self, *self.chain]
        papers = [self]
        while papers[-1].issuer is not None and papers[-1].issuer.issuer is not None:
            papers.append(papers[-1].issuer)
        return papers

    def pem(self):
        """The path of a file with all that is sent."""
        return bundle(*self.sent())


@functools.lru_cache(None)
def _make(paper):
    return paper.make()


def _keys_of(paper):
    while paper is not None:
        yield paper.key, paper.label
        for other in [*(paper.chain or ()), paper.own_key]:
            yield from _keys_of(other)
        paper = paper.issuer


def prepare(papers):
    """Makes the keys and files of certificates, so that nobody has to wait for them later:
    of RSA keys several at a time."""
    keys = {key for paper in papers for key in _keys_of(paper)}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(lambda key: key_file(*key), sorted(keys, reverse=True)))
    for paper in papers:
        paper.pem()


def bundle(*papers, also=""):
    """The path of a file that holds these certificates as PEM, then other text."""
    text = "".join(to_pem(paper.der, "CERTIFICATE") for paper in papers) + also
    return keep(text.encode(), ".pem")


def to_pem(der, label):
    lines = base64.encodebytes(der).decode().replace("\n", "")
    body = "\n".join(lines[i:i + 64] for i in range(0, len(lines), 64))
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


def keep(data, suffix, folder=None):
    """Writes a file that is named for its contents."""
    path = os.path.join(folder or FOLDER[0], hashlib.sha256(data).hexdigest()[:20] + suffix)
    if not os.path.exists(path):
        with open(path, "wb") as out:
            out.write(data)
    return path


def directory(*paths):
    """The path of a directory with copies of these files."""
    label = hashlib.sha256(" ".join(paths).encode()).hexdigest()[:20]
    path = os.path.join(FOLDER[0], label + ".d")
    os.makedirs(path, exist_ok=True)
    for number, one in enumerate(paths):
        shutil.copyfile(one, os.path.join(path, f"{number}{os.path.splitext(one)[1]}"))
    return path


def tuples(words):
    return {key: tuple(value) if isinstance(value, list) else value
            for key, value in words.items()}


def authority(label, issuer=None, **words):
    """A CA's certificate: a root without an issuer."""
    usual = {"subject": f"O=Test,CN={label}", "label": label, "ca": True,
             "usage": ("keyCertSign", "cRLSign"), "days": (-30, 300)}
    return Paper(issuer=issuer, **{**usual, **tuples(words)})


def leaf(issuer, **words):
    """A peer's certificate, good in either role unless words say otherwise."""
    usual = {"subject": "O=Test,CN=peer", "ca": False, "usage": ("digitalSignature",),
             "eku": ("server", "client"), "san": NAMES}
    return Paper(issuer=issuer, **{**usual, **tuples(words)})


# ---- revocation lists -----------------------------------------------------------------


def revocation_list(signer, revoked=(), days=(-1, 10), issuer=None, extensions=(), der=False):
    """The path of a list by a CA; issuer is whose name it bears, if not the signer's."""
    algorithm = algorithm_of(signer.key, "sha256")
    entries = seq(*(seq(integer(paper.number), _time(-0.5)) for paper in revoked))
    tbs = seq(integer(1), algorithm, name((issuer or signer).subject), _time(days[0]),
              _time(days[1]), entries if revoked else b"",
              tlv(0xa0, seq(extension("2.5.29.35", seq(tlv(0x80, key_id(
                  signer.key, signer.label)))), extension("2.5.29.20", integer(1)),
                  *extensions)))
    whole = seq(tbs, algorithm, bits(sign(signer.key, signer.label, "sha256", tbs)))
    if der:
        return keep(whole, ".crl")
    return keep(to_pem(whole, "X509 CRL").encode(), ".crl")
