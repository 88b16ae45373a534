# The files of registries that the inventory does not say.
others() {
    find /etc/k0s/registries ! -type d 2>/dev/null | grep -vxF -e ''{% for item in k0s.registry_files %} -e {{ item.path | quote }}{% endfor %}

}
