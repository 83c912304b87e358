"""Programs that must not, or may not for long, run as root."""

import os
import pwd
import shutil

import certs


def open_folders(bed):
    """Lets any user reach what the test's folders hold; the keys stay their owner's."""
    os.chmod(bed.dir, 0o755)
    os.chmod(bed.authority.folder, 0o755)


def own(bed, user):
    """Gives the test's folder to a user, with copies of the certificates and keys that only
    that user may read. To be called before the policies are written."""
    open_folders(bed)
    entry = pwd.getpwnam(user)
    os.chown(bed.dir, entry.pw_uid, entry.pw_gid)
    copies = {}
    for name in ("server", "client"):
        copies[name] = certs.Certificate(bed.dir, "own-" + name)
        copies[name].name = name
        made = getattr(bed, name + "_cert")
        for source, copy in ((made.pem, copies[name].pem), (made.key, copies[name].key)):
            shutil.copy(source, copy)
            os.chown(copy, entry.pw_uid, entry.pw_gid)
            os.chmod(copy, 0o600 if copy.endswith(".key") else 0o644)
    bed.server_cert, bed.client_cert = copies["server"], copies["client"]


def give(bed, user, *names):
    """Makes new folders in the test's folder that are a user's."""
    entry = pwd.getpwnam(user)
    for name in names:
        os.makedirs(bed.path(name), exist_ok=True)
        os.chown(bed.path(name), entry.pw_uid, entry.pw_gid)


def as_user(user):
    """For start(**how): the program, and mtls-run before it, runs as this user alone."""
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid}
