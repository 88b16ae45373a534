# Whether this host reaches others at their addresses: asked of all at once. It changes nothing.
# An answer that says no is one, too: what matters is that packets come and go. $ports are those of
# sshd, the API and the kubelet; a host that drops them all may still answer a ping.
answers() {
    said=$(LC_ALL=C timeout 2 bash -c ': <>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1) && return
    case $said in *refused*) return 0 ;; esac
    return 1
}
reaches() {
    for port in $ports; do
        answers "$1" "$port" && return
    done
    ping -c 1 -W 2 "$1" >/dev/null 2>&1
}
tell() { if reaches "$1"; then echo "reaches=yes $1"; else echo "reaches=no $1"; fi; }
# What comes back from a port where a datastore should answer. PostgreSQL speaks when it is asked for TLS,
# MySQL and NATS by themselves; no user and no password is told.
greet() {
    said=$(LC_ALL=C timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 1
        case $2 in
        postgres) printf "\000\000\000\010\004\322\026\057" >&3; head -c 1 <&3 | od -An -tx1 ;;
        mysql) head -c 5 <&3 | tail -c 1 | od -An -tx1 ;;
        nats) head -c 4 <&3 | od -An -tx1 ;;
        esac
        echo answered' "$1" "$2" "$3" 2>&1)
    case "$3 $(echo $said)" in
    "postgres 53 answered" | "postgres 4e answered" | "mysql 0a answered" | "nats 49 4e 46 4f answered" | "any answered") answer=open ;;
    "mysql ff answered") answer=turned_away ;;
    *answered) answer=other ;;
    *refused*) answer=refused ;;
    *[Nn]"o route"* | *unreachable*) answer=unreachable ;;
    *"name resolution"* | *"not known"* | *"no address"* | *"No address"*) answer=unnamed ;;
    *) answer=silent ;;
    esac
    echo "service=$answer $1 $2"
}
