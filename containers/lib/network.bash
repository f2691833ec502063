# shellcheck shell=bash
# The lab's network: two bridges in the "host" namespace, the attacker and the neighbour in namespaces of their own.
#
# Addresses of attackers are those of RFC 5737 and RFC 3849. The services' network lies in the user's white list.

readonly ATTACKER4=198.51.100.77 ATTACKER6=2001:db8:e::77
readonly NEIGHBOUR4=198.51.100.78 NEIGHBOUR6=2001:db8:e::78
# Any address of these is the attacker's too (for tests that need many): use them as a source with --from.
readonly CROWD4=203.0.113.0/24 CROWD6=2001:db8:c::/48
readonly EDGE_GATEWAY4=198.51.100.1 EDGE_GATEWAY6=2001:db8:e::1
readonly SERVICES4=10.126.160 SERVICES6=fd26:160:

# The address of guest $1 in family $2. A recipe's name begins with its number, which is also its last part.
guest_address() {
    local number=${1%%-*}
    [[ $1 == 10-gateway ]] && number=1
    [[ $number =~ ^[0-9]{1,2}$ ]] || return 1
    if [[ $2 == 6 ]]; then echo "$SERVICES6:$number"; else echo "$SERVICES4.$number"; fi
}

# A command in namespace $1. Not `ip netns exec`: that hides /sys/fs/cgroup behind a fresh /sys.
in_ns() {
    local ns=$1; shift
    nsenter --net="/run/netns/$ns" -- "$@"
}

# A command in the network of a place: host, attacker, neighbour or a guest.
in_place() {
    local place=$1; shift
    case $place in
        host) in_ns "$NS_HOST" "$@" ;;
        attacker) in_ns "$NS_ATTACKER" "$@" ;;
        neighbour) in_ns "$NS_NEIGHBOUR" "$@" ;;
        *)
            local pid
            pid=$(guest_pid "$place") || { say "guest $place does not run"; return 2; }
            nsenter --net="/proc/$pid/ns/net" -- "$@"
            ;;
    esac
}

network_make() {
    local ns
    for ns in "$NS_HOST" "$NS_ATTACKER" "$NS_NEIGHBOUR"; do
        ip netns add "$ns"
        # Addresses are usable at once: nobody else is here to have the same.
        in_ns "$ns" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
            echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra; echo 0 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
        ip -n "$ns" link set lo up
    done
    ip -n "$NS_HOST" -batch - <<BATCH
link add edge type bridge forward_delay 0 mcast_snooping 0
link add services type bridge forward_delay 0 mcast_snooping 0
link set edge addrgenmode none
link set edge up
link set services up
addr add $SERVICES4.254/24 dev services
addr add $SERVICES6:254/64 dev services nodad
route add default via $SERVICES4.1
route add default via $SERVICES6:1
link add att0 type veth peer name eth0 netns $NS_ATTACKER
link add nei0 type veth peer name eth0 netns $NS_NEIGHBOUR
link set att0 addrgenmode none
link set nei0 addrgenmode none
link set att0 master edge up
link set nei0 master edge up
BATCH
    network_outsider "$NS_ATTACKER" "$ATTACKER4" "$ATTACKER6"
    network_outsider "$NS_NEIGHBOUR" "$NEIGHBOUR4" "$NEIGHBOUR6"
    in_ns "$NS_ATTACKER" sh -c 'echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind'
    ip -n "$NS_ATTACKER" route add local "$CROWD4" dev lo
    ip -n "$NS_ATTACKER" route add local "$CROWD6" dev lo
}

network_outsider() {
    ip -n "$1" -batch - <<BATCH
link set eth0 up
addr add $2/24 dev eth0
addr add $3/64 dev eth0 nodad
route add default via $EDGE_GATEWAY4
route add default via $EDGE_GATEWAY6
BATCH
}

# Waits until both outsiders reach the guests named, over both families; 10 s at most.
network_ready() {
    local name family try
    [[ " $* " == *' 10-gateway '* ]] || return 0
    for name in "$@"; do
        for family in 4 6; do
            for ((try = 0; ; try++)); do
                in_ns "$NS_ATTACKER" ping -q -c1 -W1 "$(guest_address "$name" $family)" >/dev/null 2>&1 && break
                ((try < 50)) || die "the attacker does not reach $name over IPv$family"
                sleep 0.05
            done
        done
    done
}

network_take_away() {
    local ns pid tries
    for ns in "$NS_HOST" "$NS_ATTACKER" "$NS_NEIGHBOUR"; do
        [[ -n $LAB_ID && -e /run/netns/$ns ]] || continue
        # Whoever still stands in the lab's own namespaces belongs to the lab. (Not this shell: it never enters.)
        for ((tries = 0; tries < 40; tries++)); do
            pid=$(ip netns pids "$ns")
            [[ -n $pid ]] || break
            # shellcheck disable=SC2086
            kill -KILL $pid 2>/dev/null
            sleep 0.05
        done
        ip netns del "$ns"
    done
}
