# Whether all of these ports of an address take connections.
reaches() {
    for port in $2; do
        timeout 3 bash -c ': <>"/dev/tcp/$0/$1"' "$1" "$port" 2>/dev/null && continue
        echo "port $port of $1 does not answer" >&2
        return 1
    done
}
