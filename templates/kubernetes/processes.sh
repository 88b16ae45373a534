# A container's shim outlives its unit; its children are the container. What stands in the control groups of
# the units and of pods is the distribution's own, unless the machine is a pod itself.
descendants() {
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
        echo "$child"
        descendants "$child"
    done
}
processes() {
    own='/({{ cluster.units }})\.service(/|$)'
    grep -q kubepods /proc/1/cgroup || own="$own|/kubepods(\.slice)?(/|\$)"
    for process in /proc/[0-9]*; do
        if grep -Eqs "$own" "$process/cgroup"; then
            echo "${process#/proc/}"
            continue
        fi
        case "$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null)" in
            {{ folders.data }}/data/*/bin/containerd-shim* | {{ folders.data }}/bin/containerd-shim*)
                echo "${process#/proc/}"
                descendants "${process#/proc/}"
                ;;
        esac
    done 2>/dev/null
}
end_processes() {
    # One that waits for its disk ends only when the disk has answered.
    attempts=100
    while [ "$attempts" -gt 0 ]; do
        found=$(processes)
        [ -n "$found" ] || return 0
        kill -9 $found 2>/dev/null
        sleep 0.3
        attempts=$((attempts - 1))
    done
}
