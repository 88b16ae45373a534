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
