# The rules of both kinds of iptables, each by its own tool.
tools() {
    for family in iptables ip6tables; do
        found=
        for tool in "$family-nft" "$family-legacy"; do
            command -v "$tool-save" >/dev/null 2>&1 && found=yes && echo "$tool"
        done
        [ -n "$found" ] || { command -v "$family-save" >/dev/null 2>&1 && echo "$family"; }
    done
}
# What takes the chains of Kubernetes and its network out, and the rules that lead into them, as
# TOOL-restore --noflush reads it: all other rules are not even written again. Flannel and the network
# policies accept what they have marked in the built-in chains, where only comments tell their rules.
removal() {
    "$1-save" 2>/dev/null | awk '
        /^\*/ { table = $0; rules = flush = chains = "" }
        /^:(KUBE|CNI|FLANNEL)-/ {
            flush = flush "-F " substr($1, 2) "\n"
            chains = chains "-X " substr($1, 2) "\n"
        }
        /^-A / && $2 !~ /^(KUBE|CNI|FLANNEL)-/ {
            bare = $0
            gsub(/"([^"\\]|\\.)*"/, "", bare)
            if (bare ~ / -[jg] (KUBE|CNI|FLANNEL)-/ || $0 ~ / --comment "(flanneld|KUBE-ROUTER rule) /) {
                sub(/^-A/, "-D")
                rules = rules $0 "\n"
            }
        }
        /^COMMIT/ && rules flush chains != "" { printf "%s\n%s%s%sCOMMIT\n", table, rules, flush, chains }
    '
}
tables() {
    command -v nft >/dev/null 2>&1 || return 0
    nft list tables 2>/dev/null | grep -Ex 'table (ip|ip6|inet) (kube-proxy|flannel-ipv4|flannel-ipv6)'
}
sets() {
    command -v ipset >/dev/null 2>&1 || return 0
    ipset list -n 2>/dev/null | grep -E '^(inet6:)?KUBE-'
}
remove_rules() {
    for tool in $(tools); do
        text=$(removal "$tool")
        [ -z "$text" ] || printf '%s\n' "$text" | "$tool-restore" --noflush >&2 || return 1
    done
    tables | while read -r table; do nft delete $table; done
    for set in $(sets); do ipset destroy "$set"; done
}
