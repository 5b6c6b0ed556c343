#!/bin/sh
# The first process of a node. It runs in PID, mount and network namespaces of its
# own, so whatever it mounts, configures or starts ends with it. It prepares what
# kubelet and containerd expect of a machine, and runs them.
set -eu
cd "$NODE_DIR"

# The machine's own state is hidden behind folders of this node.
mkdir -p lib log run sysctl
mount --bind lib /var/lib
mount --bind log /var/log
mount --bind run /run

# kubelet sets these for the whole machine. It finds them as it wants them, in
# files that cover the real ones.
cover() {
	file=sysctl/$(echo "$1" | tr / .)
	echo "$2" >"$file"
	mount --bind "$file" "/proc/sys/$1"
}
cover vm/overcommit_memory 1
cover vm/panic_on_oom 0
cover kernel/panic 10
cover kernel/panic_on_oops 1
cover kernel/keys/root_maxkeys 1000000
cover kernel/keys/root_maxbytes 25000000

# The only way in or out of this network is what the test listens on at the
# services' addresses.
ip link set lo up
for address in $NODE_SERVICES; do
	ip address add "$address/32" dev lo
done
# A bridge without an address of its own takes the lowest of its ports', which changes
# as pods come and go: connections of others then hang until they have asked again.
ip link add cni0 address 02:00:00:00:00:01 type bridge
ip address add "$NODE_ADDRESS/24" dev cni0
ip link set cni0 up

touch prepared
until [ -e begin ]; do sleep 0.05; done

containerd --config "$NODE_DIR/containerd.toml" >containerd.log 2>&1 &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.05; done
kubelet --config "$NODE_DIR/kubelet.yaml" --kubeconfig "$NODE_DIR/kubelet.kubeconfig" \
	--hostname-override "$NODE_NAME" --node-ip "$NODE_ADDRESS" >kubelet.log 2>&1 &
wait
