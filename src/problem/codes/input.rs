//! The command line, the inventory and other files on this machine.

super::codes! {
    "Command line, inventory and files";

    /// The command line is not one that towline knows.
    ///
    /// # Remedy
    /// `towline --help` lists the commands, `towline COMMAND --help` the flags of one. k3s is removed
    /// with `towline reset`, not with `uninstall`.
    COMMAND_LINE "command-line";

    /// A flag is missing without which the command does not know what to do, and there is no terminal
    /// on which to ask for it.
    ///
    /// # Remedy
    /// Add the flag that the message names; `towline COMMAND --help` says what it means.
    FLAG_MISSING "flag-missing";

    /// A flag does not fit the others, or the role of the machine. Some settings are for servers only:
    /// an agent takes them from the server that it joins.
    ///
    /// # Remedy
    /// Leave the flag out, or use the one that the message names instead.
    FLAG_UNFIT "flag-unfit";

    /// The value of a flag, or an answer that was typed, is not one that can be used.
    ///
    /// # Remedy
    /// The message says what is expected. An address is an IP address or a DNS name without a port, a
    /// folder is an absolute path, and `--extra-args` takes the flags of the distribution.
    FLAG_VALUE "flag-value";

    /// `--limit` selects no host of the inventory.
    ///
    /// # Remedy
    /// It takes a list with commas of hosts, groups, `servers`, `agents`, `all` and globs such as
    /// `worker-*`; `!` in front excludes. To see the hosts and their groups:
    ///
    /// ```sh
    /// towline inventory show -i FILE
    /// ```
    LIMIT_WITHOUT_HOST "limit-without-host";

    /// The inventory has no host of this name.
    ///
    /// # Remedy
    /// Name one that it has; without a name, all are shown:
    ///
    /// ```sh
    /// towline inventory show -i FILE
    /// ```
    HOST_UNKNOWN "host-unknown";

    /// The inventory has mistakes; each is shown with its line and column. An unknown key, a value of the
    /// wrong type, a host that is named twice, or settings that contradict each other are found before
    /// any host is contacted.
    ///
    /// # Remedy
    /// Correct what the marks point at. docs/inventory.md has every key, and this checks a file without
    /// touching a host:
    ///
    /// ```sh
    /// towline inventory check -i FILE
    /// ```
    ///
    /// Editors show the same mistakes while you type, with the schema that `towline schema inventory`
    /// prints.
    INVENTORY_INVALID "inventory-invalid";

    /// An inventory file cannot be read: it is missing, is a folder, is not text in UTF-8 or not YAML.
    ///
    /// # Remedy
    /// Name the file with `-i FILE`; `-` is standard input. Where the YAML is broken, the mark points at
    /// the place at which it cannot go on; the cause is often the indentation of the line above.
    INVENTORY_UNREADABLE "inventory-unreadable";

    /// What a URL of `cluster.manifests` holds is no list of objects for Kubernetes.
    ///
    /// # Remedy
    /// See what is there, and name another URL, with its hash.
    MANIFEST_INVALID "manifest-invalid";

    /// A setting under `config` or `agent_config` is not one that this version of the distribution takes:
    /// it is unknown, has another form, belongs to the other role, or is set by towline itself.
    ///
    /// # Remedy
    /// Correct or remove the key. The keys are the flags of `k3s server` and `k3s agent` without the
    /// dashes; what towline sets itself has a key of its own in the inventory, which the message names.
    SETTING_INVALID "setting-invalid";

    /// A range of addresses for pods or services cannot be used: it is no range, is too small or too
    /// large, overlaps the other one, or has another address family.
    ///
    /// # Remedy
    /// Write `cluster-cidr` and `service-cidr` as ranges that do not overlap, such as `10.42.0.0/16` and
    /// `10.43.0.0/16`. A running cluster keeps the ones that it was made with.
    NETWORK_RANGE "network-range";

    /// The inventory has two servers, or `towline inventory init` was given none or an even number of
    /// them. etcd needs more than half of the servers: two stop when either is lost, and four survive
    /// the loss of no more than three do. An inventory of four or more may have an even number; towline
    /// then says so and continues.
    ///
    /// # Remedy
    /// Use one, three or five servers. Any number of agents can join. For two servers, keep the data in a
    /// database outside with `datastore_endpoint`, or write `allow_two_servers: true` under `cluster`.
    SERVER_COUNT "server-count";

    /// A file that would be written already exists, and is not one that towline may replace.
    ///
    /// # Remedy
    /// Choose another file, or move that one away.
    FILE_EXISTS "file-exists";

    /// A file on this machine cannot be read, or is not what its name promises.
    ///
    /// # Remedy
    /// Check its path, its owner and its mode; the message has the reason that the system gives.
    FILE_UNREADABLE "file-unreadable";

    /// A file on this machine cannot be written. The folder is missing, its file system is full or
    /// mounted read-only, or it belongs to another user.
    ///
    /// # Remedy
    /// The message has the reason that the system gives. These show most of them:
    ///
    /// ```sh
    /// ls -ld FOLDER
    /// df -h FOLDER
    /// ```
    FILE_UNWRITABLE "file-unwritable";

    /// An inventory is written in a form that towline does not change by itself. Hosts in braces, aliases
    /// and templates can mean more than one place in the file.
    ///
    /// # Remedy
    /// Make the change by hand; the message has the lines to write. They stay yours: what comes later is
    /// added where it can be.
    EDIT_BY_HAND "edit-by-hand";

    /// A reset removes a cluster with its data, and a restore or a recovery replaces it. They begin only when this was
    /// confirmed. The name that was
    /// typed is not the cluster's, or there is no terminal to type it on.
    ///
    /// # Remedy
    /// See first what it would do, then confirm it:
    ///
    /// ```sh
    /// towline reset -i FILE --plan
    /// towline reset -i FILE --yes
    /// ```
    UNCONFIRMED "unconfirmed";

    /// `--overrides` would replace nothing: there is no such folder, it has neither `playbooks/` nor
    /// `templates/`, or it has a file that no stage and no playbook names.
    ///
    /// # Remedy
    /// Name the folder that holds the two, and give its files the names of those that they replace;
    /// docs/playbooks.md shows one.
    OVERRIDES_INVALID "overrides-invalid";

    /// A playbook or template has a mistake: an unknown kind of task or key, a wrong value, or an
    /// expression that cannot be evaluated.
    ///
    /// # Remedy
    /// The message has the file, the line and the task. docs/playbooks.md has every kind of task with an
    /// example, and every variable. If the file is not one of yours from `--overrides`, this is a fault of
    /// towline: please report it.
    PLAYBOOK_INVALID "playbook-invalid";
}
