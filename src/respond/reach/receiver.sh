# hids receiver: reads one request a line, runs ipset, nft or conntrack, answers with their output and "hids-end STATUS".
# It may stand on the gateway as the forced command of hids's key. Requests hold set names, addresses and numbers only;
# nothing of them is ever evaluated.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
set -f
s=
[ "$(id -u)" = 0 ] || s="sudo -n"
echo hids-receiver 1
while IFS= read -r line; do
  rest=${line#* }
  case $line in
    "restore "*) IFS="|"; set -- $rest; unset IFS; printf "%s\n" "$@" | $s ipset restore -exist 2>&1 ;;
    "nft "*) IFS="|"; set -- $rest; unset IFS; printf "%s\n" "$@" | $s nft -f - 2>&1 ;;
    "save "*) $s ipset save $rest 2>&1 ;;
    "terse "*) $s ipset list -t $rest 2>&1 ;;
    "nftlist "*) $s nft -j list set $rest 2>&1 ;;
    "nftterse "*) $s nft -j -t list set $rest 2>&1 ;;
    "cut4 "*) $s conntrack -D -s "$rest" 2>&1 ;;
    "cut6 "*) $s conntrack -D -f ipv6 -s "$rest" 2>&1 ;;
    ping) true ;;
    *) echo unknown request; false ;;
  esac
  echo "hids-end $?"
done
