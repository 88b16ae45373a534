# What a server is asked about its snapshots. $folder is where it keeps them, $data where its data is.
k3s=/usr/local/bin/k3s

# Whole ones: one that is being taken has another name.
list() {
    for file in "$folder"/*; do
        case $file in *.part | *.tmp) continue ;; esac
        if [ -f "$file" ] && [ -s "$file" ]; then
            printf 'file=%s %s\n' "$(stat -c '%s %Y' "$file")" "${file##*/}"
        fi
    done | head -n 2000
}

# What the cluster says of all of them, also of those that are elsewhere, and of failures.
records() {
    timeout 20 "$k3s" kubectl get etcdsnapshotfiles.k3s.cattle.io -o json 2>/dev/null | head -c 1000000
}

described() {
    printf 'saved=%s\nbytes=%s\ntaken=%s\n' "${1##*/}" "$(stat -c %s "$1")" "$(stat -c %Y "$1")"
}

# k3s ends with status 0 also where it failed, and says nothing at all where the disk is full: only a file counts.
save_etcd() {
    mark=$(mktemp) || exit 1
    trap 'rm -f "$mark"' EXIT
    said=$("$k3s" etcd-snapshot save --name "$name" 2>&1)
    new=$(find "$folder" -type f -name "$name-*" ! -name '*.part' ! -name '*.tmp' -size +0 -newer "$mark" 2>/dev/null | tail -n 1)
    if [ -n "$new" ]; then
        described "$new"
        printf '%s\n' "$said" | grep -i 's3' | grep -iE 'error|fail' | tail -n 2 >&2
        exit 0
    fi
    printf '%s\n' "$said" | tail -n 4 >&2
    echo "k3s has written no snapshot to $folder, where $(df -Pk "$folder" 2>/dev/null | tail -n 1 | { read -r _ _ _ free _; echo "$free"; }) KiB are free" >&2
    exit 1
}

# sqlite is only whole while nothing writes to it.
save_sqlite() {
    umask 077
    mkdir -p "$folder" || exit 1
    cd "$data/server/db" || exit 1
    needed=0
    for file in state.db*; do needed=$((needed + $(stat -c %s "$file") / 1024 + 20)); done
    free=$(df -Pk "$folder" | tail -n 1 | { read -r _ _ _ free _; echo "$free"; })
    if [ "$free" -lt "$needed" ]; then
        echo "a snapshot needs $needed KiB, and $folder has $free KiB free" >&2
        exit 1
    fi
    new="$folder/$name-$node-$(date +%s).tar"
    trap 'rm -f "$new.part"; systemctl start --no-block k3s' EXIT
    trap 'exit 1' HUP INT TERM PIPE
    systemctl stop k3s || exit 1
    tar -cf "$new.part" state.db* && sync "$new.part" && mv "$new.part" "$new" && described "$new"
}

remove() {
    [ -f "$folder/$file" ] || exit 0
    case $file in
        *.tar) rm -f "$folder/$file" ;;
        *) said=$("$k3s" etcd-snapshot delete "$file" 2>&1) ;;
    esac
    [ -e "$folder/$file" ] || exit 0
    printf '%s\n' "$said" | tail -n 4 >&2
    echo "$folder/$file is still there" >&2
    exit 1
}

digest() {
    [ -f "$folder/$file" ] || { echo "$folder/$file is gone" >&2; exit 1; }
    printf 'bytes=%s\n' "$(stat -c %s "$folder/$file")"
    printf 'sha256=%s\n' "$(sha256sum <"$folder/$file" | cut -d ' ' -f 1)"
}
