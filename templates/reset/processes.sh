# A container's shim outlives k3s; its children are the container. What stands in the cgroups of the
# units is k3s's own.
descendants() {
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
        echo "$child"
        descendants "$child"
    done
}
processes() {
    for process in /proc/[0-9]*; do
        if grep -Eqs '/k3s(-agent)?\.service(/|$)' "$process/cgroup"; then
            echo "${process#/proc/}"
            continue
        fi
        case "$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null)" in
            {{ reset.data_dir }}/data/*/bin/containerd-shim*)
                echo "${process#/proc/}"
                descendants "${process#/proc/}"
                ;;
        esac
    done 2>/dev/null
}
