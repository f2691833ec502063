# shellcheck shell=bash
# Where a lab lives: its folder, its names, and what it needs of the machine.
#
#   DIR/.hids-lab   says that this folder is a lab (without it nothing here is ever removed)
#   DIR/env         its environment, for callers
#   DIR/lxc/        the LXC path: one folder a guest
#   DIR/ssh/        the keys for the gateway
#   DIR/template/   what light guests are copied from
#   DIR/log/        lxc-start's own words
#   DIR/groups      the cgroups its guests had

need_root() {
    ((EUID == 0)) || die "needs root: it makes network namespaces, mounts and LXC guests"
}

# Says everything that is missing at once.
need_the_machine() {
    need_root
    local -a missing=()
    local program
    for program in lxc-start lxc-attach lxc-info lxc-stop ip ipset xtables-nft-multi ping ssh ssh-keygen sshd rsyslogd nginx \
        sshpass curl openssl busybox nsenter unshare setsid; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    ((${#missing[@]} == 0)) || die "missing programs: ${missing[*]} ('make deps' installs them)"
    [[ -e /proc/net/if_inet6 ]] || die "this kernel runs without IPv6, which the lab needs"
    # A guest without the machine's libraries can only run the static one.
    ! ldd "$(command -v busybox)" >/dev/null 2>&1 || die "busybox is not static: install busybox-static ('make deps')"
}

place_make() {
    mkdir -p "$1"
    LAB_DIR=$(cd "$1" && pwd -P)
    if [[ -n $(ls -A "$LAB_DIR") ]]; then
        trap - EXIT
        die "$LAB_DIR is not empty"
    fi
    touch "$LAB_DIR/.hids-lab"
    LAB_ID=$(od -An -N3 -tx1 /dev/urandom | tr -d ' ')
    mkdir -p "$LAB_DIR"/{lxc,ssh,template,log,cgroup}
    chmod 700 "$LAB_DIR/ssh"
    cat >"$LAB_DIR/env" <<ENV
HIDS_LAB=$LAB_DIR
LAB_ID=$LAB_ID
LAB_LXC=$LAB_DIR/lxc
LAB_NS_HOST=/run/netns/hids-lab-$LAB_ID-host
LAB_NS_ATTACKER=/run/netns/hids-lab-$LAB_ID-attacker
LAB_NS_NEIGHBOUR=/run/netns/hids-lab-$LAB_ID-neighbour
LAB_ATTACKER4=$ATTACKER4
LAB_ATTACKER6=$ATTACKER6
LAB_NEIGHBOUR4=$NEIGHBOUR4
LAB_NEIGHBOUR6=$NEIGHBOUR6
LAB_CROWD4=$CROWD4
LAB_CROWD6=$CROWD6
LAB_GATEWAY=$(guest_address 10-gateway 4)
LAB_GATEWAY_KEY=$LAB_DIR/ssh/id_ed25519
LAB_GATEWAY_KNOWN_HOSTS=$LAB_DIR/ssh/known_hosts
ENV
    place_names
    light_template
}

place_read() {
    [[ -e $1/.hids-lab ]] || die "$1 is not a lab"
    LAB_DIR=$(cd "$1" && pwd -P)
    LAB_ID=$(sed -n 's/^LAB_ID=//p' "$LAB_DIR/env" 2>/dev/null) || LAB_ID=''
    place_names
}

# shellcheck disable=SC2034
place_names() {
    LAB_LXC=$LAB_DIR/lxc
    NS_HOST=hids-lab-$LAB_ID-host
    NS_ATTACKER=hids-lab-$LAB_ID-attacker
    NS_NEIGHBOUR=hids-lab-$LAB_ID-neighbour
}

# Deepest first; a test may have mounted something beneath a guest.
unmount_beneath() {
    local mount
    while read -r mount; do umount -l "$mount" 2>/dev/null || true; done < <(
        awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r
    )
}

place_take_away() {
    unmount_beneath "$LAB_DIR"
    # liblxc's lock files, one for each guest it was ever asked about.
    rm -rf "/run/lxc/lock/${LAB_DIR#/}" "/run/lock/lxc/${LAB_DIR#/}"
    chattr -R -f -i "$LAB_LXC" 2>/dev/null
    rm -rf --one-file-system "$LAB_DIR"
    [[ ! -e $LAB_DIR ]] || say "$LAB_DIR could not be removed wholly"
}

# The start time of process $1, which with its pid makes it the only one.
process_start() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    cut -d' ' -f20 <<<"$stat"
}
