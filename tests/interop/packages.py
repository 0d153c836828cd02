"""Debian packages, unpacked instead of installed."""

import shutil

from shell import sh

WANTED = """
    postfix exim4-daemon-light sendmail-bin dovecot-lmtpd
    nsd unbound ldnsutils
    gnutls-bin time
""".split()

# Accounts that the install scripts of the packages would have made.
ACCOUNTS = "postfix postdrop Debian-exim smmta smmsp dovecot dovenull".split()


def fetch(root):
    """Unpacks the packages, and whatever they depend on that this machine lacks, into a folder."""
    stamp = root / "packages"
    if stamp.exists() and stamp.read_text().split() == WANTED:
        return
    shutil.rmtree(root, ignore_errors=True)
    # Debian 12 has /bin, /lib and /sbin below /usr; the packages still name them without.
    for folder in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to("usr/" + folder)
    sh("apt-get", "-o", "APT::Sandbox::User=root", "download", *closure(), cwd=root)
    for archive in root.glob("*.deb"):
        sh("dpkg-deb", "--extract", archive, root)
        archive.unlink()
    stamp.write_text("\n".join(WANTED))


def closure():
    """Tells what apt would install for each package alone, since some exclude each other."""
    names = set(WANTED)
    for package in WANTED:
        plan = sh("apt-get", "--simulate", "--no-install-recommends", "install", package).decode()
        names.update(line.split()[1] for line in plan.splitlines() if line.startswith("Inst "))
    return sorted(names)
