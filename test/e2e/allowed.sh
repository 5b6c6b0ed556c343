#!/bin/sh
# Says whether this machine can run a node, and so make e2e: nothing and exit status 0
# if it can, otherwise why not. With --packages it lists the Debian packages that are
# missing for it, which is nothing on a machine that cannot install any.
set -eu

deny() {
	echo "$1"
	exit 1
}

if [ "${1:-}" = --packages ]; then
	command -v apt-get >/dev/null || exit 0
	[ "$(id -u)" = 0 ] || exit 0
	need() { [ -e "$1" ] || echo "$2"; }
	need /usr/lib/cni/bridge containernetworking-plugins
	need /usr/include/seccomp.h libseccomp-dev
	command -v pkg-config >/dev/null || echo pkg-config
	command -v gcc >/dev/null || echo gcc
	command -v ip >/dev/null || echo iproute2
	command -v git >/dev/null || echo git
	need /etc/ssl/certs/ca-certificates.crt ca-certificates
	exit 0
fi

[ "$(uname -s)" = Linux ] || deny "a node runs on Linux only"
[ "$(id -u)" = 0 ] || deny "only root can run a node"
for program in ip unshare nsenter gcc pkg-config git; do
	command -v "$program" >/dev/null || deny "$program is not installed"
done
for file in /usr/lib/cni/bridge /usr/lib/cni/host-local /usr/lib/cni/loopback; do
	[ -x "$file" ] || deny "$file is missing (Debian: containernetworking-plugins)"
done
[ -e /usr/include/seccomp.h ] || deny "libseccomp's headers are missing (Debian: libseccomp-dev)"
[ -L /lib ] && [ -L /bin ] || deny "/bin and /lib are no links into /usr, from which the pods' git comes"

# What the kernel, or the container that this machine may be, allows is tried.
group=github-user-token-e2e-$$-allowed
for parent in /sys/fs/cgroup/pids /sys/fs/cgroup; do
	[ -e "$parent/cgroup.procs" ] || continue
	mkdir "$parent/$group" 2>/dev/null || deny "control groups cannot be made below $parent"
	rmdir "$parent/$group"
	break
done
dir=$(mktemp -d)
trap 'rmdir "$dir" 2>/dev/null || rm -rf "$dir"' EXIT
problem=$(unshare --fork --kill-child --pid --mount --mount-proc --net /bin/sh -euc '
	say() { echo "$1"; exit 0; }
	cd "$1"
	mkdir lower upper work merged
	mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged 2>/dev/null ||
		say "overlayfs cannot be mounted below $1 (set TMPDIR to a folder on a disk)"
	umount merged
	mount -t tmpfs tmpfs merged 2>/dev/null || say "tmpfs cannot be mounted"
	umount merged
	ip link set lo up && ip link add cni0 type bridge 2>/dev/null || say "the kernel has no bridges"
	ip link add left type veth peer name right 2>/dev/null || say "the kernel has no veth pairs"
	echo 1 >sysctl
	mount --bind sysctl /proc/sys/vm/overcommit_memory 2>/dev/null || say "files of /proc/sys cannot be covered"
' sh "$dir" 2>&1) || deny "PID, mount and network namespaces cannot be made: $problem"
[ -z "$problem" ] || deny "$problem"
