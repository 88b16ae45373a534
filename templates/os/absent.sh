# A path as /proc/self/mounts has it: links followed; a space, a tab and a backslash as \ and digits.
mount_name() { readlink -f -- "$1" | sed 's/\\/\\134/g; s/ /\\040/g; s/\t/\\011/g'; }
mounted() { cut -d ' ' -f 2 /proc/self/mounts | grep -Fxq -e "$(mount_name "$1")"; }
# What is mounted below a folder, in the same form, the deepest first; only names that begin with the
# second argument.
below() {
    folder=$(mount_name "$1")
    [ -n "$folder" ] && [ -r /proc/self/mounts ] || return 1
    cut -d ' ' -f 2 /proc/self/mounts | LC_ALL=C sort -r | while read -r mount; do
        case "$mount" in "$folder/${2-}"*) printf '%s\n' "$mount" ;; esac
    done
}
# Unmounts all that `mounts` lists. What is busy, or does not answer, goes at the end and lazily: it is
# out of the folders at once, with everything in it, and ends when nothing uses it any more.
unmount() {
    for how in '' --lazy; do
        mounts | while read -r mount; do
            # %b reads an octal number after \0 only, and three digits of it.
            path=$(printf '%b.' "$(printf '%s' "$mount" | sed 's/\\\([0-7]\{3\}\)/\\0\1/g')")
            case "$how" in
                '') timeout -k 5 20 umount "${path%.}" 2>/dev/null ;;
                *) timeout -k 5 20 umount --lazy "${path%.}" >&2 ;;
            esac
        done
    done
}
# Removes a path, and nothing through a mount. A mount of its own, or a link to a folder, was put there
# by a user: it is emptied and stays.
gone() {
    [ -e "$1" ] || [ -h "$1" ] || return 0
    [ -d "$1" ] || { rm -f -- "$1"; return; }
    left=$(below "$1") || return 1
    if [ -n "$left" ]; then
        printf '%s\n' "$1 is left: something is still mounted in it:" "$left" >&2
        return 1
    fi
    if [ -h "$1" ] || mounted "$1"; then
        find "$(readlink -f -- "$1")" -xdev -mindepth 1 -delete
    else
        rm -rf --one-file-system -- "$1"
    fi
}
