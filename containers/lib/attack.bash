# shellcheck shell=bash
# What outsiders do: packets, password guessing, web scans. Each tells "no answer" from "could not try".

# Guest name or NAME/6 or a literal address: the address, and its family.
target() {
    local to=$1 family=4
    [[ $to != */6 ]] || { to=${to%/6}; family=6; }
    case $to in
        *:*) echo "$to 6" ;;
        [0-9]*.*.*.*) echo "$to 4" ;;
        *) echo "$(guest_address "$to" "$family") $family" ;;
    esac
}

attack_ping() {
    local from=$1 address family said code=0
    local -a source=()
    if [[ $from == *@* ]]; then source=(-I "${from%@*}"); from=${from#*@}; fi
    read -r address family < <(target "$2")
    [[ -n $address ]] || { echo "could not try: no guest $2"; return 2; }
    said=$(in_place "$from" ping "-$family" -n -c1 -W1 "${source[@]}" "$address" 2>&1) || code=$?
    # ping's own code is 1 for silence and for an error message of a router; only silence is "no answer".
    if ((code == 0)); then
        echo answered
    elif ((code == 1)) && [[ $said != *nreachable* && $said != *rohibited* ]]; then
        echo 'no answer'
        return 1
    else
        echo "could not try: $(tail -n 1 <<<"$said")"
        return 2
    fi
}

attack_options() {
    from='' count=$1 user='' guest=$2 password='guess'
    shift 2
    while (($#)); do
        case $1 in
            --from) from=${2:?}; shift 2 ;;
            --count) count=${2:?}; shift 2 ;;
            --user) user=${2:?}; shift 2 ;;
            --guest) guest=${2:?}; shift 2 ;;
            --password) password=${2:?}; shift 2 ;;
            *) usage ;;
        esac
    done
}

# One log-in a line: "N refused|accepted|silent|error: … MILLISECONDS ms".
attack_ssh() {
    local family=$1 from count user guest password try said code outcome begin address; shift
    attack_options 4 12-ssh "$@"
    address=$(guest_address "$guest" "$family") || die "guest $guest has no address"
    if [[ -z $from ]]; then [[ $family == 4 ]] && from=$ATTACKER4 || from=$ATTACKER6; fi
    for ((try = 1; try <= count; try++)); do
        begin=$(date +%s%3N)
        code=0
        said=$(in_ns "$NS_ATTACKER" timeout 4 sshpass -p "$password" ssh -F none -b "$from" -o StrictHostKeyChecking=no \
            -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o PreferredAuthentications=password \
            -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 -o ConnectTimeout=2 -o LogLevel=ERROR \
            "${user:-visitor$try}@$address" true 2>&1 </dev/null) || code=$?
        if ((code == 0)); then
            outcome=accepted
        elif [[ $said == *'Permission denied'* ]]; then
            outcome=refused
        elif ((code == 124)) || [[ $said == *'timed out'* ]]; then
            outcome=silent
        else
            outcome="error: $(tail -n 1 <<<"$said")"
        fi
        printf '%s %s %s ms\n' "$try" "$outcome" "$(($(date +%s%3N) - begin))"
        case $outcome in
            silent) return 1 ;;
            error*) return 2 ;;
        esac
    done
}

# One page a line: "N STATUS PATH"; status 000 is silence.
attack_web() {
    local family=$1 from count user guest password try address host status path; shift
    attack_options 20 11-nginx "$@"
    address=$(guest_address "$guest" "$family") || die "guest $guest has no address"
    if [[ -z $from ]]; then [[ $family == 4 ]] && from=$ATTACKER4 || from=$ATTACKER6; fi
    [[ $family == 4 ]] && host=$address || host="[$address]"
    for ((try = 1; try <= count; try++)); do
        path=/backup-$try/old.tar
        status=$(in_ns "$NS_ATTACKER" curl -s -o /dev/null -w '%{http_code}' --max-time 2 --interface "$from" "http://$host$path") || true
        printf '%s %s %s\n' "$try" "${status:-none}" "$path"
        case $status in
            000) return 1 ;;
            [1-5][0-9][0-9]) ;;
            *) return 2 ;;
        esac
    done
}

gateway_sets() {
    local set
    for set in global-blk4 global-blk6; do
        in_place 10-gateway ipset save "$set" | awk '$1 == "add" { print $2, $3, ($4 == "timeout" ? $5 : "-") }'
    done
}
