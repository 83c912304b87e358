"""Programs in a root of their own, with the folder of `make container`, as containers have
it: the root read-only, a user that /etc/passwd does not know, no capabilities, no way to
gain any, and the program as PID 1. The network is the host's, so that its wire is seen."""

import os
import shutil

import certs
from harness import BUILD, PLAIN, Bed

ROOT = os.path.join(BUILD, "container", "root")
FOLDER = os.path.join(BUILD, "container", "mtls-shim")
ENTRYPOINT = "/mtls-shim/entrypoint"
UID = 23456

# root, our folder, whether there is /proc, the test's folders; "--"; setpriv's arguments.
# The test's folders are at the same paths inside. All mounts go with the namespace.
SET_UP = """
set -e
root=$1 folder=$2 proc=$3
shift 3
mount --bind "$root" "$root"
mount --bind "$folder" "$root/mtls-shim"
mount -o remount,ro,bind "$root/mtls-shim"
mount -t tmpfs none "$root/tmp"
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    shift
done
shift
if [ "$proc" = yes ]; then mount -t proc proc "$root/proc"; fi
mount -o remount,ro,bind "$root"
exec chroot "$root" setpriv "$@"
"""


def own(bed: Bed, user=UID, group=UID, mode=0o600):
    """Lets anybody write to the test's folder, and has copies there of the certificates, with
    keys of that owner, group and mode. To be called before the policies are written."""
    os.chmod(bed.dir, 0o777)
    os.chmod(bed.authority.folder, 0o755)
    for name in ("server", "client"):
        made = getattr(bed, name + "_cert")
        copy = certs.Certificate(bed.dir, "own-" + name)
        copy.name = name
        shutil.copy(made.pem, copy.pem)
        shutil.copy(made.key, copy.key)
        os.chown(copy.key, user, group)
        os.chmod(copy.key, mode)
        setattr(bed, name + "_cert", copy)


def start(bed: Bed, name, argv, policy=None, env=None, proc=True, uid=UID, groups=(),
          entrypoint=(ENTRYPOINT,), **how):
    """Starts a program in a container; the policy goes by the environment."""
    environment = {"PATH": "/usr/bin:/bin", **(env or {})}
    if policy:
        environment["MTLS_SHIM_POLICY"] = policy
    if PLAIN:
        environment["MTLS_SHIM"] = "off"
    return bed.start(name, [
        "unshare", "--mount", "--pid", "--fork", "--kill-child",
        "sh", "-c", SET_UP, "sh", ROOT, FOLDER, "yes" if proc else "no",
        bed.dir, bed.authority.folder, "--",
        f"--reuid={uid}", f"--regid={uid}", "--inh-caps=-all", "--bounding-set=-all",
        "--no-new-privs",
        f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups",
        "--", "env", "-i", *(f"{key}={value}" for key, value in environment.items()),
        *entrypoint, *argv], **how)
