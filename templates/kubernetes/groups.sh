# The control groups of pods, when no process is left in them. A machine that is a pod itself shows
# those of the cluster that it runs in.
groups() {
    grep -q kubepods /proc/1/cgroup && return
    for group in $(find /sys/fs/cgroup -maxdepth 2 -type d \( -name kubepods -o -name kubepods.slice \)); do
        [ -n "$(find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null)" ] || echo "$group"
    done
}
