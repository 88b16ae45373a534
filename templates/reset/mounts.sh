# Deepest first. What is mounted at the folders themselves was put there by a person.
mounts() {
    cut -d ' ' -f 2 /proc/self/mounts | sort -r | while read -r mount; do
        case "$mount" in
            /var/lib/rancher/k3s | {{ reset.data_dir }}) ;;
{% if reset.elsewhere %}
            {{ reset.data_dir }}/agent/* | {{ reset.data_dir }}/data/* | {{ reset.data_dir }}/server/* | {{ reset.data_dir }}/storage/*)
                printf '%b\n' "$mount"
                ;;
{% endif %}
            /run/k3s/* | /run/netns/cni-* | /var/lib/kubelet/* | /var/lib/rancher/*)
                printf '%b\n' "$mount"
                ;;
        esac
    done
}
