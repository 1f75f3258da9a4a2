#!/bin/sh
# Runs a command in this fresh network namespace, whose default route and resolver end in a recorder: recorder.sh RECORD COMMAND…
# Loopback works as ever; everything else goes into a cable whose other end is written down and answers nothing.
set -eu
record=$1; shift
ip link set lo up
ip link add rec0 type veth peer name rec1
# The kernel's own neighbour discovery is no connection of ours.
echo 1 > /proc/sys/net/ipv6/conf/rec1/disable_ipv6
ip link set rec0 up
ip link set rec1 up
other=$(ip -o link show rec1 | sed 's/.*link\/ether \([0-9a-f:]*\).*/\1/')
ip addr add 192.0.2.1/24 dev rec0
ip neigh add 192.0.2.2 lladdr "$other" dev rec0 nud permanent
ip route add default via 192.0.2.2 dev rec0
ip -6 addr add 2001:db8::1/64 dev rec0 nodad
ip -6 neigh add 2001:db8::2 lladdr "$other" dev rec0 nud permanent
ip -6 route add default via 2001:db8::2 dev rec0
resolver=$(mktemp)
printf 'nameserver 198.51.100.53\noptions timeout:1 attempts:1\n' > "$resolver"
mount --bind "$resolver" /etc/resolv.conf
rm -f "$resolver"
python3 "$(dirname "$0")/recorder.py" rec1 "$record" &
recorder=$!
while [ ! -e "$record" ]; do sleep 0.1; done
code=0
"$@" || code=$?
kill "$recorder"
exit "$code"
