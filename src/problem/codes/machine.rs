//! What a machine must have and be, before anything is changed on it.

super::codes! {
    "What a host must have";

    /// The init system of the host is not systemd. towline runs Kubernetes as a systemd unit, so that it
    /// starts with the machine and its end is noticed.
    ///
    /// # Remedy
    /// Use a system with systemd, such as Debian or Ubuntu. A container needs an image that starts systemd
    /// as its first process.
    NO_SYSTEMD "no-systemd";

    /// Commands that towline needs are missing on the host. Minimal images leave some of them out.
    ///
    /// # Remedy
    /// Install them as root on the host, on Debian and Ubuntu with
    ///
    /// ```sh
    /// apt-get install util-linux coreutils iproute2
    /// ```
    COMMAND_MISSING "command-missing";

    /// The operating system of the host is not supported yet: towline does not know its package manager.
    ///
    /// # Remedy
    /// Use Debian, Ubuntu, or a system that is made of one of them.
    OS_UNSUPPORTED "os-unsupported";

    /// The distribution publishes no binary for the processor of the host.
    ///
    /// # Remedy
    /// Use a machine with amd64, arm64, armhf or s390x, or take the host out of the inventory. A system of
    /// 32 bits on a processor of 64 bits counts as 32 bits.
    ARCHITECTURE_UNSUPPORTED "architecture-unsupported";

    /// The name of the host cannot be the name of a node. Kubernetes takes lower-case letters, digits,
    /// `-` and `.`, and a letter or digit at both ends.
    ///
    /// # Remedy
    /// Write `node_name` for the host in the inventory, or change its hostname:
    ///
    /// ```sh
    /// hostnamectl set-hostname NAME
    /// ```
    NODE_NAME_INVALID "node-name-invalid";

    /// The configuration of Kubernetes on the host cannot be read. It is not YAML, or has a form that towline
    /// does not understand; it may hold the token and the address with which the host joined.
    ///
    /// # Remedy
    /// Repair `/etc/rancher/k3s/config.yaml`, and the files in `config.yaml.d` beside it, on the host, or
    /// move them away; then run the same command again.
    NODE_CONFIG_UNREADABLE "node-config-unreadable";

    /// The kernel of the host does not offer cgroup controllers that the kubelet needs. On a Raspberry Pi
    /// the memory controller is off unless the kernel's command line switches it on.
    ///
    /// # Remedy
    /// Add `cgroup_enable=memory` (or the controller that is named) to the kernel's command line and restart
    /// the machine. On a Raspberry Pi:
    ///
    /// ```sh
    /// sed -i '1s/$/ cgroup_memory=1 cgroup_enable=memory/' /boot/firmware/cmdline.txt && reboot
    /// ```
    CGROUP_MISSING "cgroup-missing";

    /// k0s looks at a host before it starts, and refuses one that lacks what a controller or a worker needs: room
    /// on the disk, control groups, kernel modules.
    ///
    /// # Remedy
    /// On the host, this shows what is missing:
    ///
    /// ```sh
    /// k0s sysinfo
    /// ```
    ///
    /// `ignore-pre-flight-checks: true` under `config` (`agent_config` for workers) lets k0s start all the same.
    PREFLIGHT_FAILED "preflight-failed";

    /// The kernel of the host runs cgroup v1, and the kubelet of Kubernetes 1.35 and newer refuses that.
    ///
    /// # Remedy
    /// Start the machine with `systemd.unified_cgroup_hierarchy=1` on the kernel's command line. Where that
    /// is not possible yet, `kubelet-arg: [fail-cgroupv1=false]` under `config` (servers) and `agent_config`
    /// (agents) lets the kubelet start.
    CGROUP_V1 "cgroup-v1";

    /// The machine has no `/dev/kmsg`, which the kubelet reads. Containers of LXC and Proxmox have none.
    ///
    /// # Remedy
    /// As root in the container, now and at each boot:
    ///
    /// ```sh
    /// echo 'L /dev/kmsg - - - - /dev/console' >/etc/tmpfiles.d/kmsg.conf
    /// systemd-tmpfiles --create /etc/tmpfiles.d/kmsg.conf
    /// ```
    KMSG_MISSING "kmsg-missing";

    /// Another Kubernetes runs on the host. Both need the same ports and use the same names for interfaces
    /// and folders.
    ///
    /// # Remedy
    /// If the other one is in use, take the host out of the inventory. If it may go with all that it holds,
    /// remove it on the host with the command in the message.
    OTHER_KUBERNETES "other-kubernetes";

    /// A file system on the host is mounted read-only. A disk that has errors is often remounted like this
    /// by the kernel.
    ///
    /// # Remedy
    /// On the host, see which and why, repair it, and run the same command again:
    ///
    /// ```sh
    /// findmnt -O ro
    /// dmesg | tail
    /// ```
    DISK_READ_ONLY "disk-read-only";

    /// A file system on the host has too little room, or has no inodes left for more files.
    ///
    /// # Remedy
    /// On the host, see which is full, make room, and run the same command again:
    ///
    /// ```sh
    /// df -h; df -i
    /// du -sh /var/lib/rancher/k3s
    /// ```
    ///
    /// On a new host the data can be on another disk, with `config: {data-dir: FOLDER}` in the inventory.
    DISK_FULL "disk-full";

    /// The limit of inotify watches of the host is used up. Kubernetes and containers watch many files, and
    /// the kernel calls this "no space left on device".
    ///
    /// # Remedy
    /// Raise it as root on the host; a file in `/etc/sysctl.d` keeps it over a restart:
    ///
    /// ```sh
    /// sysctl fs.inotify.max_user_watches=524288
    /// ```
    INOTIFY_LIMIT "inotify-limit";

    /// Another program on the host has a port that Kubernetes needs.
    ///
    /// # Remedy
    /// On the host, see which, and stop it or give it another port:
    ///
    /// ```sh
    /// ss -ltnp
    /// ```
    PORT_TAKEN "port-taken";

    /// The clock of the host is wrong by more than an hour. Certificates that were just made are not yet
    /// valid for it.
    ///
    /// # Remedy
    /// Compare on this host and on a server, and set it by the network:
    ///
    /// ```sh
    /// timedatectl
    /// timedatectl set-ntp true
    /// ```
    CLOCK_WRONG "clock-wrong";

    /// A path that has to be a file on the host is something else: a folder, a device or a socket. towline
    /// does not remove what it does not know.
    ///
    /// # Remedy
    /// Look at it on the host and move it away, then run the same command again.
    NOT_A_REGULAR_FILE "not-a-regular-file";

    /// A command is missing although its package counts as installed. The file was removed, or the package
    /// was left half unpacked.
    ///
    /// # Remedy
    /// Install the package again, as root on the host:
    ///
    /// ```sh
    /// apt-get install --reinstall PACKAGE
    /// ```
    PACKAGE_BROKEN "package-broken";
}
