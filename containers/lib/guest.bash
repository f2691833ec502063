# shellcheck shell=bash
# Guests: their recipes (containers/recipes/NAME), and what can be done with them.
#
# A recipe defines `make ROOT CONFIG` (fills the folder, appends to the LXC configuration) and `ready` (waits until its
# services do).

recipe_exists() { [[ $1 =~ ^[0-9]+-[a-z]+$ && -r $HERE/recipes/$1 ]]; }
recipe_list() { (cd "$HERE/recipes" && echo [0-9]*-*); }

recipe_make() (
    local name=$1 root=$LAB_LXC/$1/rootfs config=$LAB_LXC/$1/config
    # shellcheck source=/dev/null
    source "$HERE/recipes/$name"
    mkdir -p "$root"
    cat >"$config" <<CONFIG
lxc.uts.name = $name
lxc.rootfs.path = dir:$root
lxc.apparmor.profile = unconfined
lxc.tty.max = 0
lxc.console.path = none
CONFIG
    make "$root" "$config"
)

recipe_ready() (
    # shellcheck source=/dev/null
    source "$HERE/recipes/$1"
    ready
)

guest_ready() { ! recipe_exists "$1" || recipe_ready "$1"; }

# Waits until a command succeeds: $1 seconds at most, $2 what is waited for.
wait_for() {
    local tries=$(($1 * 40)) what=$2 try; shift 2
    for ((try = 0; try < tries; try++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.025
    done
    die "waited in vain for $what"
}

# Does anyone in guest $1 listen on TCP port $2? Looked up, not tried: a try would stand in the guest's log.
listens() {
    local pid
    pid=$(guest_pid "$1") && grep -qE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$2") [0-9A-F:]+ 0A" "/proc/$pid/net/tcp"
}

# The skeleton of a guest that borrows the machine's /usr, read-only: real sshd, nginx, rsyslog, ipset without an image.
# $1 root, $2 config. /usr/bin/sh is then the machine's; only init is busybox's.
borrowed_root() {
    local root=$1
    mkdir -p "$root"/{etc,lab,usr,proc,sys,dev,run,tmp,root,home,mnt,var/{log,lib,tmp,cache,spool},etc/alternatives}
    chmod 1777 "$root/tmp" "$root/var/tmp"
    chmod 700 "$root/root"
    ln -s usr/bin "$root/bin"
    ln -s usr/sbin "$root/sbin"
    ln -s usr/lib "$root/lib"
    ln -s usr/lib64 "$root/lib64"
    ln -s /run "$root/var/run"
    ln "$LAB_DIR/template/busybox" "$root/lab/init"
    printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'sshd:x:101:65534::/run/sshd:/usr/sbin/nologin' \
        'www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin' 'nobody:x:65534:65534:nobody:/:/usr/sbin/nologin' >"$root/etc/passwd"
    printf '%s\n' 'root:x:0:' 'adm:x:4:' 'www-data:x:33:' 'nogroup:x:65534:' >"$root/etc/group"
    printf '%s\n' 'passwd: files' 'group: files' 'shadow: files' 'hosts: files' >"$root/etc/nsswitch.conf"
    printf '%s\n' '127.0.0.1 localhost' '::1 localhost' >"$root/etc/hosts"
    cat >>"$2" <<CONFIG
lxc.init.cmd = /lab/init
lxc.signal.halt = SIGUSR2
lxc.mount.auto = proc:mixed sys:mixed
lxc.mount.entry = /usr usr none bind,ro 0 0
lxc.mount.entry = /etc/alternatives etc/alternatives none bind,ro 0 0
lxc.mount.entry = tmpfs run tmpfs mode=755,size=16m 0 0
CONFIG
}

# One interface for $1 config: $2 number, $3 bridge, $4 hardware address (fixed, so that neighbours need not relearn after
# a restart), $5 IPv4 with length, $6 IPv6 with length, [$7 $8: the gateways].
interface() {
    local n=$2
    cat >>"$1" <<CONFIG
lxc.net.$n.type = veth
lxc.net.$n.link = $3
lxc.net.$n.name = eth$n
lxc.net.$n.flags = up
lxc.net.$n.hwaddr = $4
lxc.net.$n.ipv4.address = $5
lxc.net.$n.ipv6.address = $6
CONFIG
    [[ $# -lt 8 ]] || printf 'lxc.net.%s.ipv4.gateway = %s\nlxc.net.%s.ipv6.gateway = %s\n' "$n" "$7" "$n" "$8" >>"$1"
}

# The usual interface of a service guest $1, for config $2.
service_interface() {
    local number=${1%%-*}
    interface "$2" 0 services "02:00:00:a0:00:$number" "$(guest_address "$1" 4)/24" "$(guest_address "$1" 6)/64" \
        "$(guest_address 10-gateway 4)" "$(guest_address 10-gateway 6)"
}

# What a borrowed guest runs first ($1 root, standard input: more of it), and for ever after ($2...: one command each).
boots() {
    local root=$1 command; shift
    {
        echo '#!/bin/sh'
        # liblxc gave the addresses; they must not wait for a second of duplicate detection.
        cat <<'RC'
mkdir -p /run/sshd /run/lock
for dev in $(ls /proc/sys/net/ipv6/conf); do echo 0 >/proc/sys/net/ipv6/conf/$dev/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/$dev/accept_ra; done
ip -o -6 addr show tentative | while read -r _ dev _ addr _; do
    ip -6 addr del "$addr" dev "$dev"; ip -6 addr add "$addr" dev "$dev" nodad
done
RC
        cat
    } >"$root/lab/rc"
    chmod 755 "$root/lab/rc"
    {
        echo '::sysinit:/lab/rc'
        for command; do echo "::respawn:$command"; done
    } >"$root/etc/inittab"
}

light_template() {
    local t=$LAB_DIR/template
    cp "$(command -v busybox)" "$t/busybox"
    mkdir -p "$t"/light/{usr/bin,usr/sbin,etc,lab,proc,sys,dev,run,tmp,root,var/{log,tmp}}
    chmod 1777 "$t/light/tmp"
    ln -s usr/bin "$t/light/bin"
    ln -s usr/sbin "$t/light/sbin"
    # Links to where busybox lies on this machine (/usr/bin/busybox): in the guest it lies there as well.
    "$(readlink -f "$(command -v busybox)")" --install -s "$t/light/usr/bin"
    rm -f "$t/light/usr/bin/busybox"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$t/light/etc/passwd"
    echo 'root:x:0:' >"$t/light/etc/group"
    echo '::sysinit:/bin/true' >"$t/light/etc/inittab"
}

guest_new() {
    local name='' start=1 idmap=0 log=''
    while (($#)); do
        case $1 in
            --with-log) log=${2:?}; shift 2 ;;
            --idmap) idmap=1; shift ;;
            --no-start) start=0; shift ;;
            -*) usage ;;
            *) name=$1; shift ;;
        esac
    done
    [[ -n $name && $name != */* && $name != .* ]] || die "a guest's name is one word without a slash"
    local dir=$LAB_LXC/$name
    [[ ! -e $dir ]] || die "there is a guest $name already"
    mkdir "$dir"
    cp -a "$LAB_DIR/template/light" "$dir/rootfs"
    ln "$LAB_DIR/template/busybox" "$dir/rootfs/usr/bin/busybox"
    ln "$LAB_DIR/template/busybox" "$dir/rootfs/lab/init"
    if [[ -n $log ]]; then
        mkdir -p "$dir/rootfs/$(dirname "$log")"
        : >"$dir/rootfs/$log"
    fi
    cat >"$dir/config" <<CONFIG
lxc.uts.name = $name
lxc.rootfs.path = dir:$dir/rootfs
lxc.apparmor.profile = unconfined
lxc.tty.max = 0
lxc.console.path = none
lxc.init.cmd = /lab/init
lxc.signal.halt = SIGUSR2
lxc.net.0.type = empty
lxc.mount.auto = proc:mixed sys:ro
CONFIG
    if ((idmap)); then
        printf 'lxc.idmap = %s\n' 'u 0 100000 65536' 'g 0 100000 65536' >>"$dir/config"
        # The linked busybox is everybody's: this guest gets its own.
        rm "$dir/rootfs/usr/bin/busybox" "$dir/rootfs/lab/init"
        cp "$LAB_DIR/template/busybox" "$dir/rootfs/usr/bin/busybox"
        ln "$dir/rootfs/usr/bin/busybox" "$dir/rootfs/lab/init"
        chown -R -h 100000:100000 "$dir/rootfs"
        chmod 755 "$LAB_DIR" "$LAB_LXC" "$dir"
    fi
    ((start == 0)) || guest_start "$name"
}

guest_start() {
    local name=$1
    [[ -r $LAB_LXC/$name/config ]] || die "there is no guest $name"
    # liblxc looks for its bridge in /sys/class/net, so it needs a /sys of the lab's own namespace; but a fresh /sys has no
    # cgroups, and guests started beneath it would have none. So: a fresh /sys with the machine's cgroup tree moved into
    # it, seen by this lxc-start alone. Likewise the ids of mapped guests, which the machine's /etc/subuid need not know.
    # shellcheck disable=SC2016
    in_ns "$NS_HOST" unshare --mount --propagation private bash -euc '
        dir=$1 lxc=$2 name=$3
        mount --rbind /sys/fs/cgroup "$dir/cgroup"
        mount -t sysfs sysfs /sys
        mount --move "$dir/cgroup" /sys/fs/cgroup
        echo root:100000:65536 >"$dir/subid"
        for file in /etc/subuid /etc/subgid; do [ ! -e "$file" ] || mount --bind "$dir/subid" "$file"; done
        exec lxc-start -P "$lxc" -n "$name" -o "$dir/log/$name.log" -l WARN -d' \
        lab "$LAB_DIR" "$LAB_LXC" "$name" </dev/null >>"$LAB_DIR/log/lxc-start" 2>&1 || {
        # A start that failed leaves its monitor's empty cgroup.
        groups_remove "$name"; groups_remove "$name-[0-9]"
        die "lxc-start of $name failed: $(grep ERROR "$LAB_DIR/log/$name.log" 2>/dev/null | grep -v seccomp | head -n 4)"
    }
    # "0::/lxc.payload.NAME" or NAME-1, where another lab has a guest of that name.
    sed -nE 's#^0::/lxc\.payload\.([^/]+).*#\1#p' "/proc/$(guest_pid "$name")/cgroup" >>"$LAB_DIR/groups" 2>/dev/null || true
}

# The pid of a running guest's init; 1 when it does not run.
guest_pid() {
    local pid
    pid=$(in_ns "$NS_HOST" lxc-info -P "$LAB_LXC" -n "$1" -pH 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] && echo "$pid"
}

guest_stop() {
    local hard=0 name=''
    for name; do [[ $name != --hard ]] || hard=1; done
    for name; do [[ $name == --hard ]] || break; done
    if ((hard)); then
        in_ns "$NS_HOST" lxc-stop -P "$LAB_LXC" -n "$name" -k || guest_absent "$name"
    else
        in_ns "$NS_HOST" lxc-stop -P "$LAB_LXC" -n "$name" -t 8 || guest_absent "$name"
    fi
}

guest_absent() { ! guest_pid "$1" >/dev/null || die "guest $1 did not stop"; }

guest_destroy() {
    [[ -e $LAB_LXC/$1/config ]] || die "there is no guest $1"
    guest_pid "$1" >/dev/null && guest_stop "$1" --hard
    unmount_beneath "$LAB_LXC/$1"
    rm -rf --one-file-system "${LAB_LXC:?}/$1"
}

guest_rename() {
    [[ -e $LAB_LXC/$1/config && ! -e $LAB_LXC/$2 ]] || die "cannot rename $1 to $2"
    ! guest_pid "$1" >/dev/null || die "guest $1 runs"
    sed -i -e "s#$LAB_LXC/$1/#$LAB_LXC/$2/#" -e "s/^lxc.uts.name = .*/lxc.uts.name = $2/" "$LAB_LXC/$1/config"
    mv "$LAB_LXC/$1" "$LAB_LXC/$2"
}

guest_exec() {
    local name=$1; shift
    in_ns "$NS_HOST" lxc-attach -P "$LAB_LXC" -n "$name" --clear-env \
        --set-var PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin -- "$@"
}

guests_state() {
    local dir name pid
    for dir in "$LAB_LXC"/*/config; do
        [[ -e $dir ]] || continue
        name=$(basename "$(dirname "$dir")")
        if pid=$(guest_pid "$name"); then echo "$name RUNNING $pid"; else echo "$name STOPPED -"; fi
    done
}

# Ends every guest of the lab at once; what liblxc cannot end is found by its monitor's command line.
guests_kill() {
    [[ -d $LAB_LXC ]] || return 0
    if [[ -e /run/netns/$NS_HOST ]]; then
        find "$LAB_LXC" -mindepth 1 -maxdepth 1 -type d -printf '%f\0' |
            xargs -0 -r -P 8 -I{} nsenter --net="/run/netns/$NS_HOST" -- lxc-stop -P "$LAB_LXC" -n {} -k >/dev/null 2>&1
    fi
    local monitor pid group try
    local -a init
    for monitor in /proc/[0-9]*; do
        # "[lxc monitor] LXCPATH NAME"
        [[ $({ tr '\0' ' ' <"$monitor/cmdline"; } 2>/dev/null) == "[lxc monitor] $LAB_LXC "* ]] || continue
        pid=${monitor#/proc/}
        read -ra init <"$monitor/task/$pid/children"
        kill -KILL "${init[@]}" "$pid" 2>/dev/null
    done
    # liblxc removes the cgroups of a guest that it ended; of others they would stay.
    [[ -e $LAB_DIR/groups ]] || return 0
    while read -r group; do
        for ((try = 0; try < 40; try++)); do
            groups_remove "$group" && break
            sleep 0.05
        done
    done < <(sort -u "$LAB_DIR/groups")
    return 0
}

# Removes the cgroups named lxc.payload.$1 and lxc.monitor.$1 (a shell pattern) and what is beneath; 1 if some are left.
# One in use is left: its guest was killed just now, or the name has become another lab's.
groups_remove() {
    local top left=0
    # shellcheck disable=SC2231
    for top in /sys/fs/cgroup/lxc.{payload,monitor}.$1 /sys/fs/cgroup/*/lxc.{payload,monitor}.$1; do
        [[ -d $top ]] || continue
        if find "$top" -name cgroup.procs -exec cat {} + 2>/dev/null | grep -q .; then
            left=1
        else
            find "$top" -depth -type d -exec rmdir {} + 2>/dev/null || left=1
        fi
    done
    return "$left"
}
