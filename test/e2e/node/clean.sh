# Removes what a node leaves behind on the machine: its control groups ($1) and its
# folder ($2). Its processes, mounts and network have gone with its namespaces. It
# waits for the end of its standard input, which comes when the test says so, and
# also when the test is killed.
trap '' HUP INT TERM
read -r _
groups() { find /sys/fs/cgroup -maxdepth 2 -type d -name "$1" 2>/dev/null; }
tries=0
while [ -n "$(groups "$1")" ] && [ $tries -lt 100 ]; do
	for group in $(groups "$1"); do
		find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
	done
	tries=$((tries + 1))
	[ -z "$(groups "$1")" ] || sleep 0.1
done
tries=0
until rm -rf -- "$2" 2>/dev/null || [ $tries -ge 20 ]; do
	tries=$((tries + 1))
	sleep 0.5
done
[ -z "$(groups "$1")" ] && [ ! -e "$2" ]
