# What a deploy asks an active ufw for, as ufw tells it back.
rules() {
    command -v ufw >/dev/null 2>&1 || return 0
    ufw show added 2>/dev/null | sed -n 's/^ufw //p' | grep -Fx -e 'allow {{ cluster.api_port }}/tcp'{% for source in cluster.sources %} -e {{ ("allow from " ~ source) | quote }}{% endfor %}

}
