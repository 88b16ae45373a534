# The life of one machine, as `sh -c` text: started once per boot in its own session and its own mount namespace.
# Nothing that is mounted here is visible on the host, and all of it is gone when the last process is.
#
# GROUPS_TO_JOIN   cgroup directories to join, created by the caller: when a sweep has removed them, this ends here
# BASE DISK ROOT   image (read only), the machine's disk (upper, work and the folders that are bound), mount point
# MACHINE HOST BRIDGE   name for systemd-nspawn (unique on this host), hostname inside, bridge to plug into
# PAYLOAD_GROUP    cgroup v2 only: where systemd-nspawn itself must start, or empty
# MODULES          the host's /lib/modules/<release>, or empty
# The arguments are added to those of systemd-nspawn.
set -eu

for group in $GROUPS_TO_JOIN; do
    echo $$ >"$group/cgroup.procs"
done

# Where /run is no tmpfs, systemd-nspawn refuses to clean up after itself, and then cannot reboot.
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
mount -t overlay -o "lowerdir=$BASE,upperdir=$DISK/upper,workdir=$DISK/work" overlay "$ROOT"

export SYSTEMD_NSPAWN_API_VFS_WRITABLE=1
while :; do
    # 133 is how systemd-nspawn with --keep-unit says that the machine wants to be rebooted.
    status=0
    sh -eu -c '
        if [ -n "$PAYLOAD_GROUP" ]; then echo $$ >"$PAYLOAD_GROUP/cgroup.procs"; fi
        exec systemd-nspawn "$@"
    ' launch \
        --boot --quiet --register=no --keep-unit --kill-signal=SIGRTMIN+3 \
        --machine="$MACHINE" --hostname="$HOST" --directory="$ROOT" \
        --network-bridge="$BRIDGE" --capability=all \
        --resolv-conf=off --timezone=off --link-journal=no \
        --bind=/dev/kmsg "$@" ${MODULES:+"--bind-ro=$MODULES"} || status=$?
    echo "systemd-nspawn ended with status $status"
    [ "$status" = 133 ] || exit "$status"
done
