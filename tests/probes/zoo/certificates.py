"""A certificate authority for the zoo, and what it signs: good, wrong and out of date; made with openssl."""

import subprocess
from pathlib import Path

from tests.probes.zoo.animal import NAME

_CONFIG = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
[ca]
default_ca = zoo
[zoo]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""
_EC = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
_LONG = ("20200101000000Z", "20900101000000Z")


def make(folder: Path, openssl: str) -> None:
    """Write NAME.crt, NAME.key and NAME.pem, which is both, for each into `folder`; `ca` is the one to trust."""

    def run(words: str, *more: str) -> None:
        command = [openssl, *words.split(), *more, "-config", "zoo.cnf"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)

    def authority(name: str) -> None:
        subject = ("-subj", f"/CN={name}")
        run(f"req -x509 {_EC} -days 20000 -extensions authority -keyout {name}.key -out {name}.crt", *subject)
        join(name)

    def signed(
        name: str, *, host: str = NAME, dates: tuple[str, str] = _LONG, ca: str = "ca", extensions: str = "leaf"
    ) -> None:
        names = ("-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
        run(f"req -new {_EC} -keyout {name}.key -out {name}.csr", *names)
        issuer = f"-cert {ca}.crt -keyfile {ca}.key -extensions {extensions}"
        run(f"ca -batch -notext {issuer} -startdate {dates[0]} -enddate {dates[1]} -in {name}.csr -out {name}.crt")
        join(name)

    def join(name: str) -> None:
        (folder / f"{name}.pem").write_bytes(
            b"".join((folder / f"{name}.{part}").read_bytes() for part in ("crt", "key"))
        )

    (folder / "zoo.cnf").write_text(_CONFIG)
    (folder / "index.txt").touch()
    authority("ca")
    authority("stranger")
    signed("between", host="between", extensions="authority")
    signed("good")
    signed("untrusted", ca="stranger")
    signed("orphan", ca="between")
    signed("misnamed", host="www.example.net")
    signed("wildcard", host="*.example.org")
    signed("expired", dates=("20200101000000Z", "20200201000000Z"))
    signed("early", dates=("20890101000000Z", "20900101000000Z"))
